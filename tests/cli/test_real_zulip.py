"""The special behaviour of real Zulip servers, on the lab, and how scimconf reports it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.crossing import Crossing
from tests.lab.operator import VAULT, Operator
from tests.matrix import sample

One = Callable[..., Server]
ACME: dict[str, Any] = {"scim_realms": {"acme": {}}}

pytestmark = pytest.mark.needs_sshd


def _server(said: str) -> dict[str, Any]:
    (server,) = json.loads(said)["servers"]
    return dict(server)


def _restarts(server: Server) -> int:
    """Count the starts of Zulip: the lab's Django writes a line at each start."""
    return int(
        server.run(["stat", "-c", "%i", server.layout.inside("run", "var", "django.sock")]).stdout
        or 0
    )


@pytest.mark.parametrize("version", sample(["9.0", "6.2"], "9.0"))
def test_a_realm_with_its_own_host_is_reported(operator: Operator, one: One, version: str) -> None:
    """From 7.0 on, Zulip redirects to that host. The plan reports this before any change."""
    server = one(ACME, version=version, realms=["acme"], realm_hosts={"acme": "chat.acme.test"})
    before, running = server.settings.read_bytes(), _restarts(server)
    plan, applied = operator.run("plan"), operator.apply()
    if version == "6.2":
        assert (plan.returncode, applied.returncode) == (2, 0), applied
        return
    for done in (plan, applied):
        assert done.returncode == 1, done
        assert "set url: https://chat.acme.test for this realm" in done.stdout
    assert (server.settings.read_bytes(), _restarts(server)) == (before, running)

    own = {"acme": {"url": f"https://chat.acme.test:{server.web_port}"}}
    operator.write_inventory({server.name: {"scim_realms": own}})
    assert operator.apply().returncode == 0
    assert operator.run("plan").returncode == 0


@pytest.mark.parametrize("version", sample(["9.0", "11.0"], "11.0"))
def test_administrators_get_no_mail(operator: Operator, one: One, version: str) -> None:
    """If SCIM_CONFIG is undefined, each SCIM request causes a traceback and a mail."""
    server = one(ACME, version=version, realms=["acme"])
    for _ in range(2):
        assert operator.run("plan").returncode == 2
    assert operator.apply().returncode == 0
    assert operator.run("undo", "--yes").returncode == 0
    assert b"SCIM_CONFIG" not in server.settings.read_bytes()
    assert operator.run("plan").returncode == 2
    assert operator.apply().returncode == 0
    assert server.mailed() == 0

    operator.write_inventory({server.name: {"scim_realms": {"acme": {"state": "absent"}}}})
    plan = operator.run("plan", "--format", "json")
    applied = operator.apply()
    assert applied.returncode == 0, applied
    status, _, _ = server.request("GET", "/scim/v2/Users", "acme", "the provider's")
    assert (status, server.mailed()) == (401, 0)
    stays = any("SCIM_CONFIG = {} stays" in said for said in _server(plan.stdout)["warnings"])
    assert stays is (b"SCIM_CONFIG = {}" in server.settings.read_bytes()) is (version == "9.0")
    assert operator.run("plan").returncode == 0


def test_a_site_that_is_down_is_reported(operator: Operator, one: One) -> None:
    server = one(ACME, version="9.0", realms=["acme"])
    assert server.run(["supervisorctl", "stop", "zulip-django"]).returncode == 0
    plan = operator.run("plan")
    assert plan.returncode == 2, plan
    assert "the site is down: the local web server answers 502" in plan.stdout
    before = server.settings.read_bytes()
    with server.without_supervisor():
        done = operator.apply()
    assert done.returncode == 5, done
    assert "supervisor does not answer" in done.stdout
    assert "its web server answers 502" in done.stdout
    assert "ok: gate" not in done.stdout
    assert server.settings.read_bytes() == before


def test_a_database_that_does_not_answer_is_named(operator: Operator, one: One) -> None:
    server = one(ACME, version="9.0", realms=["acme"])
    assert operator.apply().returncode == 0
    operator.write_inventory({server.name: {**ACME, "scim_client": "okta-emea"}})
    with server.without_database():
        plan = operator.run("plan")
        assert "the site is down: the local web server answers 500" in plan.stdout
        done = operator.apply()
    assert done.returncode == 5, done
    assert "PostgreSQL does not answer" in done.stdout
    assert operator.apply().returncode == 0


def test_a_deactivated_realm_is_reported(operator: Operator, one: One) -> None:
    """It is only a warning, because SCIM still works in that realm."""
    one(ACME, version="9.0", realms=["acme"], deactivated=["acme"])
    plan = operator.run("plan")
    assert (plan.returncode, "realm acme is deactivated" in plan.stdout) == (2, True), plan
    assert operator.apply().returncode == 0
    plan = operator.run("plan")
    assert (plan.returncode, "realm acme is deactivated" in plan.stdout) == (0, True), plan


def test_a_new_host_in_settings_py_needs_a_restart_first(operator: Operator, one: One) -> None:
    server = one(ACME, version="9.0", realms=["acme"])
    text = server.settings.read_text() + '\nREALM_HOSTS = {"acme": "chat.acme.test"}\n'
    server.settings.write_text(text)
    own = {"acme": {"url": f"https://chat.acme.test:{server.web_port}"}}
    operator.write_inventory({server.name: {"scim_realms": own}})
    plan = operator.run("plan")
    assert plan.returncode == 1, plan
    assert "if settings.py was changed, restart Zulip" in plan.stdout
    server.restart()
    assert operator.run("plan").returncode == 2


def test_after_waiting_for_another_run_the_server_is_planned_again(
    operator: Operator, one: One
) -> None:
    """While the first run restarts, the files already have what the second run wants."""
    server = one(ACME, version="9.0", realms=["acme"])
    assert operator.apply().returncode == 0
    crossing = Crossing(server)
    changed = {**ACME, "scim_client": "okta-emea", "scim_restart": crossing.restart}
    operator.write_inventory({server.name: changed})
    first = operator.start("apply", "--yes", *VAULT)
    crossing.wait()
    operator.write_inventory({server.name: {**ACME, "scim_client": "okta-emea"}})
    second = operator.start("apply", "--yes", "--lock-timeout", "60", *VAULT)
    assert second.stdout
    for line in second.stdout:
        if "waiting for" in line:
            crossing.go("fail")
            break
    said, _ = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert first.returncode == 4
    assert second.returncode == 0, said
    assert "nothing to do" not in said
    assert b"okta-emea" in server.settings.read_bytes()


def test_a_rotation_says_how_long_scim_was_unavailable(operator: Operator, one: One) -> None:
    """The time is shorter than the restart: only the restart of Django counts."""
    server = one(ACME, version="9.0", realms=["acme"])
    assert operator.apply().returncode == 0
    script = f"{server.paths.deployment}/scripts/restart-server"
    slow = ["/bin/sh", "-c", f"sleep 3; exec {script}"]
    operator.write_inventory({server.name: {**ACME, "scim_restart": slow}})
    done = operator.run("rotate", "--yes", "--format", "json", *VAULT)
    said = _server(done.stdout)
    found = re.search(r"SCIM was unavailable for at most (\d+\.\d) s", said["message"])
    assert found
    (restart,) = (step["seconds"] for step in said["steps"] if step["name"] == "restart")
    assert float(found[1]) < restart - 2


def test_a_custom_profile_field_that_the_realm_lacks(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="12.1", realms=["acme"], custom_profile_fields=["Phone number"])
    wanted = {"acme": {"custom_profile_field_map": {"phoneNumber": "phone"}}}
    operator.write_inventory({server.name: {"scim_realms": wanted}})
    before = server.settings.read_bytes()
    refused = operator.apply()
    assert refused.returncode == 1
    assert "does not have: phone (it has: phone_number)" in refused.stdout
    assert server.settings.read_bytes() == before
    with server.without_database():
        assert "its custom profile fields cannot be listed" in operator.run("plan").stdout

    wanted["acme"]["custom_profile_field_map"] = {"phoneNumber": "phone_number"}
    operator.write_inventory({server.name: {"scim_realms": wanted}})
    assert operator.apply().returncode == 0
    assert operator.run("plan").returncode == 0

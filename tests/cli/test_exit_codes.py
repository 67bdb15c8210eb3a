"""Exit codes: what no other test file checks. docs/claims.md lists the tests of each statement."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.crossing import Crossing
from tests.lab.lab import DNS
from tests.lab.operator import VAULT, Operator

One = Callable[..., Server]
ROOT: dict[str, Any] = {"scim_realms": {"": {}}}
NOBODY = "http://127.0.0.1:1"
"""A URL without a web server."""


def _server(said: str) -> dict[str, Any]:
    (server,) = json.loads(said)["servers"]
    return dict(server)


# --- what 0 proves ----------------------------------------------------------------------------


@pytest.mark.needs_sshd
def test_a_web_server_that_does_not_answer(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    operator.write_inventory({server.name: {**ROOT, "scim_probe": NOBODY}})
    for done in (operator.run("plan"), operator.apply()):
        assert done.returncode == 1, done
        assert f"did not answer (asked: {NOBODY})" in done.stdout
        assert "supervisorctl status" in done.stdout

    changed = {**ROOT, "scim_probe": NOBODY, "scim_client": "okta-emea"}
    operator.write_inventory({server.name: changed})
    plan = operator.run("plan", "--format", "json")
    assert plan.returncode == 2, plan
    assert any("did not answer" in said for said in _server(plan.stdout)["warnings"])


@pytest.mark.needs_sshd
def test_a_change_that_was_not_proved(operator: Operator, one: One) -> None:
    """The local web server does not answer, so only the public URL could prove the change."""
    server = one({**ROOT, "scim_probe": NOBODY, "scim_gate_timeout": 1}, version="9.0")
    seen = operator.apply("--format", "json")
    assert (seen.returncode, _server(seen.stdout)["verified"]) == (0, "yes"), seen

    changed = {**ROOT, "scim_probe": NOBODY, "scim_gate_timeout": 1, "scim_client": "okta-emea"}
    operator.write_inventory({server.name: changed})
    unseen = operator.run("apply", "--yes", *VAULT, env=_without_names(operator))
    assert unseen.returncode == 1, unseen
    assert "not proved" in unseen.stdout
    assert '"okta-emea"' in server.settings.read_text(), "the change stays"


@pytest.mark.needs_sshd
def test_an_undo_that_was_not_proved(operator: Operator, one: One) -> None:
    silent = {**ROOT, "scim_probe": NOBODY, "scim_gate_timeout": 1}
    server = one(silent, version="9.0")
    before = server.settings.read_bytes()
    assert operator.apply().returncode == 0
    done = operator.run("undo", "--yes")
    assert done.returncode == 1, done
    assert "not proved" in done.stdout
    assert server.settings.read_bytes() == before


@pytest.mark.needs_sshd
def test_a_certificate_that_a_provider_would_refuse(operator: Operator, one: One) -> None:
    server = one({**ROOT, "scim_ca": None}, version="9.0")
    done = operator.apply("--format", "json")
    assert done.returncode == 1, done
    said = _server(done.stdout)
    assert (said["status"], said["verified"]) == ("failed", "no")
    (check,) = said["checks"]
    assert (check["result"], "scim_ca" in check["hint"]) == ("failed", True)
    assert "SCIM_CONFIG" in server.settings.read_text(), "the change stays"
    assert operator.run("verify", *VAULT).returncode == 1


NO_NAMES = """
import socket

_system = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    if host != "127.0.0.1":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _system(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
"""


def _without_names(operator: Operator) -> dict[str, str]:
    """Return an environment in which the servers' public names have no address."""
    environment = operator.lab.environment()
    away = operator.folder / "no-names"
    away.mkdir(exist_ok=True)
    (away / "sitecustomize.py").write_text(NO_NAMES)
    path = [
        str(away) if each == str(DNS) else each
        for each in environment["PYTHONPATH"].split(os.pathsep)
    ]
    return {**environment, "PYTHONPATH": os.pathsep.join(path)}


@pytest.mark.needs_sshd
def test_a_public_url_that_cannot_be_reached(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    away = _without_names(operator)
    done = operator.run("apply", "--yes", "--create-tokens", *VAULT, env=away)
    assert done.returncode == 0, done
    assert f"{server.name}  Zulip 9.0  changed, not verified from outside\n" in done.stdout
    operator.write_inventory({server.name: {**ROOT, "scim_client": "okta-emea"}})
    done = operator.run("apply", "--yes", *VAULT, "--format", "json", env=away)
    said = _server(done.stdout)
    assert (done.returncode, said["status"], said["verified"]) == (0, "changed", "no")
    verified = operator.run("verify", *VAULT, env=away)
    assert verified.returncode == 3, verified
    assert "did not reach the public URL: realm (root)" in verified.stdout


@pytest.mark.needs_sshd
def test_scim_verify_false(operator: Operator, one: One) -> None:
    one({**ROOT, "scim_verify": False, "scim_probe": NOBODY}, version="9.0")
    done = operator.apply("--format", "json")
    said = _server(done.stdout)
    assert (done.returncode, said["status"], said["verified"]) == (0, "changed", "not asked")
    assert operator.run("plan").returncode == 0
    verified = operator.run("verify", *VAULT)
    assert (verified.returncode, "not asked" in verified.stdout) == (0, True)


@pytest.mark.needs_sshd
def test_a_change_that_needs_a_manual_restart(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    token = {"token": "env:NEW_TOKEN"}
    operator.write_inventory({server.name: {"scim_realms": {"": token}, "scim_restart": "none"}})
    env = {**operator.lab.environment(), "NEW_TOKEN": "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"}
    done = operator.run("apply", "--yes", "--create-tokens", *VAULT, env=env)
    assert done.returncode == 1, done
    plan = operator.run("plan", env=env)
    assert plan.returncode == 1, plan
    assert "restart Zulip by hand" in plan.stdout
    server.restart()
    assert operator.run("plan", env=env).returncode == 0


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_a_read_only_user_cannot_see_everything(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    members = "all=$(sed 's/^zulip:.*/&ops/' /etc/group); printf '%s\\n' \"$all\" > /etc/group"
    assert server.run(["sh", "-c", members], user="root").returncode == 0
    operator.write_inventory({server.name: {**ROOT, "ansible_user": "ops"}})
    plan = operator.run("plan", "--read-only")
    assert plan.returncode == 0, plan
    assert "cannot tell whether a run was interrupted" in plan.stdout
    operator.write_inventory({server.name: ROOT})
    assert "not seen" not in operator.run("plan", "--read-only").stdout


@pytest.mark.needs_sshd
def test_a_rotation_that_was_not_verified_is_still_in_use(operator: Operator, one: One) -> None:
    """Otherwise the next apply would restore the old token."""
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    old = operator.token(server.name, "")
    operator.write_inventory({server.name: {**ROOT, "scim_ca": None}})
    done = operator.run("rotate", "--yes", *VAULT)
    assert done.returncode == 1, done
    assert "stays in force" not in done.stderr
    new = operator.token(server.name, "")
    assert (new == old, new in server.settings.read_text()) == (False, True)
    assert operator.run("plan").returncode == 0


# --- other runs -------------------------------------------------------------------------------


@pytest.mark.needs_sshd
def test_apply_waits_for_another_run_and_looks_again(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    crossing = Crossing(server)
    operator.write_inventory({server.name: {**ROOT, "scim_restart": crossing.restart}})
    first = operator.start("apply", "--yes", "--create-tokens", *VAULT)
    crossing.wait()
    second = operator.start("apply", "--yes", "--lock-timeout", "60", *VAULT)
    assert second.stdout
    for line in second.stdout:
        if "waiting for" in line:
            crossing.go()
            break
    said, _ = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "nothing to do" in said


# --- 5, and unmanaged realms ------------------------------------------------------------------


@pytest.mark.needs_sshd
def test_a_rollback_that_fails(operator: Operator, one: One) -> None:
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    before = server.settings.read_bytes()
    broken = ["/bin/sh", "-c", "supervisorctl stop zulip-django; exit 1"]
    changed = {**ROOT, "scim_client": "okta-emea", "scim_gate_timeout": 1}
    operator.write_inventory({server.name: {**changed, "scim_restart": broken}})
    done = operator.apply()
    assert done.returncode == 5, done
    assert "roll-back failed" in done.stdout
    assert server.settings.read_bytes() == before


@pytest.mark.needs_sshd
def test_an_undo_that_does_not_pass_its_gate(operator: Operator, one: One) -> None:
    """The undo uses the restart command of the undone change, which works only once."""
    server = one(ROOT, version="9.0")
    assert operator.apply().returncode == 0
    script = f"{server.paths.deployment}/scripts/restart-server"
    once = f"{server.layout.inside('log')}/restarted"
    restart = ["/bin/sh", "-c", f"test ! -e {once} || exit 1; touch {once}; exec {script}"]
    changed = {**ROOT, "scim_client": "okta-emea", "scim_restart": restart}
    operator.write_inventory({server.name: {**changed, "scim_gate_timeout": 1}})
    assert operator.apply().returncode == 0
    now = server.settings.read_bytes()
    done = operator.run("undo", "--yes")
    assert done.returncode == 4, done
    assert server.settings.read_bytes() == now


STRANGE = f'"wiki": {{  # by hand\n        "bearer_token": "{"t" * 40}",\n    }}'


@pytest.fixture
def strange(operator: Operator, one: One) -> Server:
    """A correct server, except for a realm that somebody added by hand."""
    server = one(
        ROOT, version="9.0", realms=["", "wiki"], extra_settings=f"\nSCIM_CONFIG = {{{STRANGE}}}\n"
    )
    done = operator.apply("--format", "json")
    said = _server(done.stdout)
    assert (done.returncode, said["status"]) == (2, "changed"), done
    assert [each["realm"] for each in said["unmanaged"]] == ["wiki"]
    return server


@pytest.mark.needs_sshd
def test_an_unmanaged_realm_is_reported(operator: Operator, strange: Server) -> None:
    before = strange.settings.read_bytes()
    line = 1 + before[: before.index(b'"wiki"')].count(b"\n")
    for done in (operator.run("plan"), operator.apply()):
        assert done.returncode == 2, done
        assert "nothing to do, with an unmanaged realm" in done.stdout
        assert f"unmanaged realm wiki at {strange.paths.settings}:{line}:" in done.stdout
    said = _server(operator.apply("--format", "json").stdout)
    assert (said["actions"], said["steps"]) == ([], [])
    assert strange.settings.read_bytes() == before


@pytest.mark.needs_sshd
def test_an_unmanaged_realm_is_kept_or_removed(operator: Operator, strange: Server) -> None:
    operator.write_inventory({strange.name: {**ROOT, "scim_unmanaged": "keep"}})
    kept = operator.run("plan")
    assert kept.returncode == 0, kept
    assert re.search(r"\] realm wiki at \S+:\d+:\d+: unmanaged, left unchanged", kept.stdout)

    operator.write_inventory({strange.name: {**ROOT, "scim_unmanaged": "remove"}})
    assert operator.run("plan").returncode == 2
    assert operator.apply().returncode == 0
    assert '"wiki"' not in strange.settings.read_text()


@pytest.mark.needs_sshd
def test_verbs_that_ignore_unmanaged_realms(operator: Operator, strange: Server) -> None:
    for verb in (("verify",), ("rotate", "--yes")):
        done = operator.run(*verb, *VAULT)
        assert done.returncode == 0, done
    assert operator.run("undo", "--yes").returncode == 0
    assert operator.run("recover", "--yes").returncode == 0
    assert STRANGE in strange.settings.read_text()

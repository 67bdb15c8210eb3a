"""`plan`, `apply` and `verify` with --realm: only the selected realms are read and changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest

from tests.cli.conftest import Run
from tests.lab import Server
from tests.lab.operator import VAULT, Operator

One = Callable[..., Server]
USERS = "/scim/v2/Users"


@pytest.fixture
def server(operator: Operator, one: One) -> Server:
    server = one(
        {"scim_realms": {"acme": {}, "wiki": {}}}, version="9.0", realms=["acme", "wiki", "docs"]
    )
    assert operator.apply().returncode == 0
    return server


def _change(operator: Operator, server: Server) -> None:
    """Change every realm in the inventory, and add one."""
    changed = {"acme": {"client": "one"}, "wiki": {"client": "two"}, "docs": {}}
    operator.write_inventory({server.name: {"scim_realms": changed}})


@pytest.mark.needs_sshd
def test_only_the_selected_realm_is_planned_and_changed(operator: Operator, server: Server) -> None:
    _change(operator, server)
    planned = operator.run("plan", "--realm", "acme", "--format", "json")
    assert planned.returncode == 2, planned
    note = "only realm acme: no other realm is checked or changed"
    report = json.loads(planned.stdout)
    assert note in planned.stderr
    assert (report["notes"], report["scope"]["realms"]) == ([note], ["acme"])
    (told,) = report["servers"]
    assert {each["realm"] for each in told["actions"]} == {"acme", None}
    assert told["unmanaged"] == []
    changed = [line for line in told["diff"].splitlines() if line[0] in "+-"]
    assert "wiki" not in "".join(changed[2:])

    before = server.settings.read_text()
    tokens = operator.tokens.read_bytes()
    done = operator.run("apply", "--yes", "--realm", "acme", *VAULT)
    assert (done.returncode, note in done.stdout) == (0, False), done
    after = server.settings.read_text()
    assert after == before.replace('"okta"', '"one"', 1), "no other byte changes"
    assert operator.tokens.read_bytes() == tokens
    assert operator.run("plan", "--realm", "acme").returncode == 0
    assert operator.run("verify", "--realm", "acme", *VAULT).returncode == 0
    assert operator.run("plan").returncode == 2, "the others are still pending"


@pytest.mark.needs_sshd
def test_only_the_selected_realm_gets_a_token_or_is_removed(
    operator: Operator, server: Server
) -> None:
    operator.write_inventory(
        {server.name: {"scim_realms": {"acme": {}, "wiki": {"state": "absent"}, "docs": {}}}}
    )
    wiki = operator.token(server.name, "wiki")
    assert operator.apply("--realm", "docs").returncode == 0
    docs = operator.token(server.name, "docs")
    assert server.request("GET", USERS, "docs", docs)[0] == 200
    assert server.request("GET", USERS, "wiki", wiki)[0] == 200
    assert operator.apply("--realm", "wiki").returncode == 0
    assert server.request("GET", USERS, "wiki", wiki)[0] == 401
    assert operator.run("plan").returncode == 0


@pytest.mark.needs_sshd
def test_unmanaged_realms_are_neither_reported_nor_removed(
    operator: Operator, server: Server
) -> None:
    both = server.settings.read_bytes()
    for unmanaged in ("report", "remove"):
        operator.write_inventory(
            {server.name: {"scim_realms": {"acme": {}}, "scim_unmanaged": unmanaged}}
        )
        assert operator.run("plan").returncode == 2
        selected = operator.run("plan", "--realm", "acme", "--format", "json")
        assert selected.returncode == 0, selected
        (told,) = json.loads(selected.stdout)["servers"]
        assert (told["unmanaged"], told["actions"], told["warnings"]) == ([], [], [])
        assert operator.run("apply", "--yes", "--realm", "acme", *VAULT).returncode == 0
        assert server.settings.read_bytes() == both


@pytest.mark.needs_sshd
def test_exit_0_is_about_the_selected_realms(operator: Operator, server: Server) -> None:
    """A problem of another realm neither stops the run nor is hidden from a run of all realms."""
    text = server.settings.read_text()
    broken = text.replace('"wiki": {', '"wiki": {**{}, ', 1)
    assert broken != text
    server.settings.write_text(broken)
    assert operator.run("plan").returncode == 1
    assert operator.run("plan", "--realm", "wiki").returncode == 1
    assert operator.run("plan", "--realm", "acme").returncode == 0


@pytest.mark.needs_sshd
def test_a_saved_plan_is_for_its_realms_only(operator: Operator, server: Server) -> None:
    _change(operator, server)
    planned = operator.run("plan", "--realm", "acme", "--out", "acme.json")
    hint = planned.stderr.partition("to carry it out: scimconf ")[2].splitlines()[0]
    assert hint.startswith("apply --known-hosts ")
    assert hint.endswith(" --plan acme.json --realm acme")
    apply = ("apply", "--yes", "--create-tokens", *VAULT)
    for others in ((), ("--realm", "wiki"), ("--realm", "acme", "--realm", "wiki")):
        refused = operator.run(*apply, "--plan", "acme.json", *others)
        assert refused.returncode == 64, refused
        assert f"a plan for only realm acme of {server.name}, not for " in refused.stderr
    assert operator.run("plan", "--out", "all.json").returncode == 2
    refused = operator.run(*apply, "--plan", "all.json", "--realm", "acme")
    assert (refused.returncode, "a plan for all realms" in refused.stderr) == (64, True)
    done = operator.run(*shlex.split(hint), "--yes", *VAULT)
    assert done.returncode == 0, done


@pytest.mark.needs_sshd
def test_clients_of_other_realms_stay_registered(operator: Operator, one: One) -> None:
    """On 5.x, clients that scimconf has registered are removed when no realm uses them."""
    server = one({"scim_realms": {"acme": {}, "wiki": {}}}, version="5.6", realms=["acme", "wiki"])
    assert operator.apply().returncode == 0
    operator.write_inventory({server.name: {"scim_realms": {"acme": {"client": "new"}}}})
    planned = operator.run("plan", "--realm", "acme", "--format", "json")
    (told,) = json.loads(planned.stdout)["servers"]
    assert {each["realm"] for each in told["actions"]} == {"acme", None}


# --- without a server -----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["plan", "apply", "verify"])
def test_a_realm_that_no_server_has_is_an_error(verb: str, scimconf: Run) -> None:
    yes = ("--yes",) if verb == "apply" else ()
    done = scimconf(verb, *yes, "--realm", "acme", "--realm", "wki")
    assert (done.returncode, done.stdout) == (64, "")
    assert "no selected server has realm wki" in done.stderr
    assert "\n  -> " in done.stderr


def test_a_server_without_the_realm_is_left_out(scimconf: Run) -> None:
    """chat1 is unreachable, chat2 has only the root realm."""
    done = scimconf("plan", "--realm", "acme", "--format", "json")
    assert [each["server"] for each in json.loads(done.stdout)["servers"]] == ["chat1.example.com"]
    assert done.returncode == 3

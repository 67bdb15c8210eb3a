"""undo and recover on the lab, and apply after an interrupted run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.lab import Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]
USERS = "/scim/v2/Users"


def _interrupt(server: Server) -> None:
    """Leave the journal of an agent that died at its last restart."""
    journal = server.layout.outside("home", ".scimconf", "journal.json")
    text = json.loads(journal.read_text())
    journal.write_text(json.dumps({**text, "state": "open", "reached": "restart"}))


def test_undo_rolls_back_the_last_apply(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, version="5.6", realms=["acme"])
    before = server.settings.read_bytes()
    assert "nothing to undo" in operator.run("undo", "--yes").stdout
    assert operator.apply().returncode == 0
    token = operator.token(server.name, "acme")

    asked = operator.run("undo")
    assert (asked.returncode, "there is no terminal" in asked.stderr) == (64, True)
    operator.tokens.rename(operator.tokens.with_suffix(".away"))  # it needs no token
    done = operator.run("undo", "--yes", env=operator.bare_environment())
    assert done.returncode == 0, done
    assert "  undone" in done.stdout
    assert "undo the run of " in done.stdout
    assert '-    "acme": {' in done.stdout
    assert token not in done.stdout
    assert server.settings.read_bytes() == before
    assert server.request("GET", USERS, "acme", token)[0] in (401, 500)

    again = operator.run("undo", "--yes")
    assert (again.returncode, "was an undo" in again.stdout) == (0, True)
    operator.tokens.with_suffix(".away").rename(operator.tokens)
    assert operator.run("plan").returncode == 2
    assert operator.run("apply", "--yes", *VAULT).returncode == 0
    assert server.request("GET", USERS, "acme", token)[0] == 200


def test_undo_is_refused_after_a_manual_change(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    assert operator.apply().returncode == 0
    text = server.settings.read_text() + '\nAUTH_LDAP_BIND_PASSWORD = "hunter2hunter2"\n'
    server.settings.write_text(text.replace('"scim_client_name": "okta"', '"scim_client_name": ""'))
    edited = server.settings.read_bytes()
    done = operator.run("undo", "--yes", "--format", "json")
    assert done.returncode == 1, done
    (said,) = json.loads(done.stdout)["servers"]
    assert said["status"] == "failed"
    assert "were changed since the last run" in said["message"]
    assert '+        "scim_client_name": "",' in said["diff"]
    assert "hunter2" not in done.stdout
    assert server.settings.read_bytes() == edited


def test_recover_and_apply_finish_an_interrupted_rollback(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    before = server.settings.read_bytes()
    assert "nothing to recover" in operator.run("recover", "--yes").stdout
    assert operator.apply().returncode == 0
    new = server.settings.read_bytes()
    _interrupt(server)

    plan = operator.run("plan", "--format", "json")
    assert plan.returncode == 2, plan
    (action,) = json.loads(plan.stdout)["servers"][0]["actions"]
    assert action["kind"] == "recover"
    assert action["text"].startswith("roll back an interrupted run (2")
    done = operator.run("recover", "--yes", env=operator.bare_environment())
    assert done.returncode == 0, done
    assert "was interrupted at 'restart'" in done.stdout
    assert server.settings.read_bytes() == before

    assert operator.apply().returncode == 0
    assert server.settings.read_bytes() == new
    _interrupt(server)
    applied = operator.apply("--format", "json")
    assert applied.returncode == 0, applied
    (said,) = json.loads(applied.stdout)["servers"]
    assert said["status"] == "changed"
    assert said["warnings"][0].startswith("an interrupted run was rolled back first: the run")
    assert server.settings.read_bytes() == new
    assert operator.run("plan").returncode == 0

"""A server, deployment or realm that is renamed in the inventory keeps its token."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from scimconf.tokens.store import TokenFile
from tests.lab import Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]


@pytest.fixture
def server(operator: Operator, one: One) -> Server:
    server = one({"scim_realms": {"acme": {}}}, version="9.0", realms=["acme", "wiki"])
    assert operator.apply().returncode == 0
    return server


def _renamed(operator: Operator, server: Server, name: str, **variables: Any) -> None:
    """Write an inventory in which the server has another name."""
    operator.write_inventory(
        {name: {**server.inventory_vars(), "scim_realms": {"acme": {}}, **variables}}
    )


def test_without_a_former_name_the_plan_names_the_rename_and_the_command(
    operator: Operator, server: Server
) -> None:
    token = operator.token(server.name, "acme")
    settings = server.settings.read_bytes()
    _renamed(operator, server, "new.test")
    planned = operator.run("plan")
    assert planned.returncode == 2, planned
    assert "this looks like a rename" in planned.stdout
    move = re.search(r"to keep the token: scimconf (token move .*)", planned.stdout)
    assert move, planned.stdout
    assert shlex.split(move[1]) == ["token", "move", server.name, "new.test"]
    refused = operator.run("apply", "--yes", *VAULT)
    assert (refused.returncode, "replace the token in force" in refused.stderr) == (64, True)
    keep = shlex.join(["token", "move", *VAULT, server.name, "new.test"])
    assert f"to keep the token: scimconf {keep}" in refused.stderr, "as the plan says"
    shown = re.search(r"to see the changes: scimconf plan (.*?);", refused.stderr)
    assert shown, refused.stderr
    assert shlex.split(shown[1])[-3:] == ["new.test", "--realm", "acme"]
    assert operator.run(*shlex.split(move[1]), *VAULT).returncode == 0
    assert operator.run("plan").returncode == 0
    assert operator.token("new.test", "acme") == token
    assert operator.run("verify", *VAULT).returncode == 0
    assert server.settings.read_bytes() == settings


def test_a_renamed_server_is_moved_by_apply_once(operator: Operator, server: Server) -> None:
    token, settings = operator.token(server.name, "acme"), server.settings.read_bytes()
    before = operator.tokens.read_bytes()
    _renamed(operator, server, "new.test", scim_moved_from=server.name)
    planned = operator.run("plan", "--format", "json", "--out", "plan.json")
    assert planned.returncode == 2, planned
    (told,) = json.loads(planned.stdout)["servers"]
    assert [each["kind"] for each in told["actions"]] == ["move token"]
    assert f"realm acme of {server.name} to realm acme of new.test" in told["actions"][0]["text"]
    assert operator.tokens.read_bytes() == before, "plan writes nothing"

    done = operator.run("apply", "--yes", "--plan", "plan.json", *VAULT)
    assert done.returncode == 0, done
    assert operator.token("new.test", "acme") == token
    assert server.settings.read_bytes() == settings, "the server has the token already"
    again = operator.run("plan")
    assert again.returncode == 0, again
    after = operator.tokens.read_bytes()
    assert operator.run("apply", "--yes", *VAULT).returncode == 0
    assert operator.tokens.read_bytes() == after
    assert operator.run("verify", *VAULT).returncode == 0
    _renamed(operator, server, "new.test")
    assert operator.run("plan").returncode == 0, "the variable can be removed after the apply"


def test_a_saved_plan_without_the_move_does_not_carry_it_out(
    operator: Operator, server: Server
) -> None:
    """Somebody could add `scim_moved_from` after the approval, to get the token of a server."""
    _renamed(operator, server, "new.test")
    assert operator.run("plan", "--out", "plan.json").returncode == 2
    before = operator.tokens.read_bytes()
    _renamed(operator, server, "new.test", scim_moved_from=server.name)
    refused = operator.run("apply", "--yes", "--plan", "plan.json", *VAULT)
    assert refused.returncode == 1, refused
    assert "scim_moved_from" in refused.stdout
    assert operator.tokens.read_bytes() == before


def test_a_renamed_realm_keeps_its_token_on_the_server(operator: Operator, server: Server) -> None:
    token = operator.token(server.name, "acme")
    realms = {"wiki": {"moved_from": "acme"}}
    _renamed(operator, server, server.name, scim_realms=realms, scim_unmanaged="remove")
    planned = operator.run("plan")
    assert "move the token of realm acme" in planned.stdout
    assert "make a token" not in planned.stdout
    done = operator.run("apply", "--yes", *VAULT)
    assert done.returncode == 0, done
    assert operator.token(server.name, "wiki") == token
    assert server.request("GET", "/scim/v2/Users", "wiki", token)[0] == 200
    assert server.request("GET", "/scim/v2/Users", "acme", token)[0] == 401
    assert list(TokenFile.load(operator.tokens).records) == [(server.name, "wiki")]
    assert operator.run("plan").returncode == 0


def test_a_move_to_a_place_with_a_token_is_no_move(operator: Operator, server: Server) -> None:
    """The new place has a token, so the move was done, or the new token is the right one."""
    token = operator.token(server.name, "acme")
    _renamed(operator, server, "new.test")
    assert operator.run("import", *VAULT).returncode == 0
    _renamed(operator, server, "new.test", scim_moved_from=server.name)
    planned = operator.run("plan")
    assert planned.returncode == 0, planned
    assert operator.token("new.test", "acme") == operator.token(server.name, "acme") == token

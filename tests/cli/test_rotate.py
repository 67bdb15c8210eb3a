"""A token's way through its life, on servers of the lab."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]
USERS = "/scim/v2/Users"


def _lets_in(server: Server, realm: str, token: str) -> bool:
    return server.request("GET", USERS, realm, token)[0] == 200


@pytest.fixture
def server(operator: Operator, one: One) -> Server:
    realms = {"scim_realms": {"acme": {}, "wiki": {}}, "scim_token_store": "secrets"}
    server = one(realms, version="9.0", realms=["acme", "wiki"])
    assert operator.apply().returncode == 0
    return server


def _rotate(operator: Operator, *arguments: str) -> str:
    done = operator.run("rotate", "--yes", *VAULT, *arguments)
    assert done.returncode == 0, done
    return done.stdout + done.stderr


def test_at_once_and_back(operator: Operator, server: Server) -> None:
    old = operator.token(server.name, "acme")
    other = operator.token(server.name, "wiki")
    said = _rotate(operator, "--realm", "acme")
    assert re.search(r"nobody was let in for \d+\.\d s at most", said)
    new = operator.token(server.name, "acme")
    assert old != new
    assert (_lets_in(server, "acme", new), _lets_in(server, "acme", old)) == (True, False)
    assert operator.token(server.name, "wiki") == other
    assert operator.run("plan").returncode == 0

    _rotate(operator, "--back")
    assert operator.token(server.name, "acme") == old
    assert (_lets_in(server, "acme", new), _lets_in(server, "acme", old)) == (False, True)
    assert operator.token(server.name, "wiki") == other
    again = operator.run("rotate", "--yes", "--back", *VAULT)
    assert (again.returncode, "no previous token" in again.stderr) == (64, True)
    _rotate(operator, "--activate")
    assert operator.token(server.name, "acme") == new, "what was gone back from is staged"
    for token in (old, new):
        assert token not in said + operator.tokens.read_text()


def test_staged(operator: Operator, server: Server) -> None:
    old = operator.token(server.name, "acme")
    before = server.secrets.read_bytes()
    refused = operator.run("rotate", "--yes", "--activate", *VAULT)
    assert (refused.returncode, "no token is staged" in refused.stderr) == (64, True)

    assert "handoff --next" in _rotate(operator, "--stage", "--realm", "acme")
    assert server.secrets.read_bytes() == before
    assert operator.token(server.name, "acme") == old
    assert operator.run("plan").returncode == 0, "what is staged is nothing to do yet"
    sheet = operator.run("handoff", "--next", "--show-tokens", *VAULT).stdout
    (next_token,) = set(re.findall(r"\b[A-Za-z0-9]{43}\b", sheet))
    assert next_token != old

    _rotate(operator, "--activate")
    assert operator.token(server.name, "acme") == next_token
    assert (_lets_in(server, "acme", next_token), _lets_in(server, "acme", old)) == (True, False)


def test_a_rotation_that_fails_leaves_the_old_token_in_force(
    operator: Operator, server: Server
) -> None:
    old = operator.token(server.name, "acme")
    script = server.deployment / "scripts/restart-server"
    whole = script.read_bytes()
    script.write_text("#!/bin/sh\nexit 1\n")
    done = operator.run("rotate", "--yes", *VAULT)
    assert done.returncode in (4, 5), done
    assert f"stays in force: realm acme of {server.name}, realm wiki" in done.stderr
    script.write_bytes(whole)
    assert operator.token(server.name, "acme") == old
    server.restart()
    assert _lets_in(server, "acme", old)
    assert operator.run("plan").returncode == 0


def test_by_age(operator: Operator, server: Server) -> None:
    before = operator.tokens.read_bytes()
    said = _rotate(operator, "--older-than", "90d")
    assert "none is older than 90 days" in said
    assert operator.tokens.read_bytes() == before
    long_ago = datetime.now(timezone.utc) - timedelta(days=91)
    text, count = re.subn(
        r'("acme":\n.*\n +created: ")[^"]*', rf"\g<1>{long_ago:%Y-%m-%dT%H:%M:%SZ}",
        before.decode(), count=1,
    )  # fmt: skip
    assert count == 1
    operator.tokens.write_text(text)
    wiki = operator.token(server.name, "wiki")
    acme = operator.token(server.name, "acme")
    _rotate(operator, "--older-than", "90d")
    assert operator.token(server.name, "wiki") == wiki
    assert operator.token(server.name, "acme") != acme


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--realm", "nope"), "none of these servers has a realm nope"),
        (("--older-than", "90"), "no age, such as 90d or 12w"),
        (("--back",), "no previous token is kept there"),
    ],
)
def test_what_cannot_be_meant(
    operator: Operator, lab: Lab, arguments: tuple[str, ...], words: str
) -> None:
    operator.write_inventory({"chat.test": {"scim_realms": {"acme": {}}}})
    done = operator.run("rotate", "--yes", *VAULT, *arguments)
    assert done.returncode == 64
    assert words in done.stderr


def test_a_deployment_is_rotated_as_a_whole(operator: Operator, tmp_path: Path) -> None:
    realms = {"scim_realms": {"acme": {}}, "scim_deployment": "both"}
    operator.write_inventory({"a.test": realms, "b.test": realms})
    operator.tokens.write_text(
        'scimconf_tokens:\n  "both":\n    "acme":\n      fingerprint: "$pbkdf2-sha256$29000'
        '$nHOulRICwFgrhVAqBSAkRA$RanPXBfRt9fhqFhXyP15mtJ7xdVuT.MnzCfEQ7iqd4o"\n'
        '      created: ""\n      token: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        61\n'
    )
    done = operator.run("rotate", "--yes", *VAULT, "a.test")
    assert done.returncode == 64
    assert "b.test belongs to deployment both too, and would keep the old token" in done.stderr


def test_who_shares_a_leaked_token_is_named(operator: Operator, server: Server) -> None:
    text = operator.tokens.read_text()
    head, acme, rest = re.split(r'^    "acme":\n|^    "wiki":\n', text, flags=re.M)
    operator.tokens.write_text(f'{head}    "acme":\n{acme}    "wiki":\n{acme}')
    assert operator.apply().returncode == 0
    done = operator.run("rotate", "--yes", "--realm", "acme", *VAULT)
    assert (
        f"the token of realm acme of {server.name} is also that of realm wiki of {server.name}"
    ) in done.stderr
    assert rest


def test_a_realm_that_goes_leaves_its_date_and_no_token(operator: Operator, server: Server) -> None:
    old = operator.token(server.name, "acme")
    known = {**server.inventory_vars(), "scim_token_store": "secrets"}
    operator.write_inventory(
        {server.name: {**known, "scim_realms": {"acme": {"state": "absent"}, "wiki": {}}}}
    )
    assert operator.apply().returncode == 0
    assert re.search(r'"acme":\n +removed: "20\d\d-', operator.tokens.read_text())
    assert operator.run("plan").returncode == 0
    operator.write_inventory({server.name: {**known, "scim_realms": {"acme": {}, "wiki": {}}}})
    assert operator.apply().returncode == 0
    assert operator.token(server.name, "acme") != old

"""`verify --test-user` on the lab."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.operator import VAULT, Operator
from tests.lab.provider import scim

pytestmark = pytest.mark.needs_sshd

EMAIL = "scim-test@example.com"
TRY = ("verify", "--test-user", EMAIL, "--yes", *VAULT)


def accounts(server: Server, realm: str, token: str) -> list[tuple[str, str, bool]]:
    _, found = scim(server, realm, token, "GET", "/scim/v2/Users?count=50")
    return [(each["userName"], each["displayName"], each["active"]) for each in found["Resources"]]


@pytest.mark.parametrize("version", ["6.2", "12.1"])
def test_each_provider_tries_its_user(
    operator: Operator, lab_server: Callable[..., Server], version: str
) -> None:
    realms: dict[str, Any] = {
        "": {"idp": "entra"},
        "acme": {"idp": "okta"},
        "wiki": {"idp": "authentik"},
    }
    if version == "12.1":
        realms["acme"]["custom_profile_field_map"] = {"phoneNumber": "phone_number"}
    server = lab_server(
        version=version, realms=[*realms], custom_profile_fields=["Phone number", "Team"]
    )
    operator.write_inventory({server.name: {"scim_realms": realms}})
    assert operator.apply().returncode == 0
    for what in ("created", "of an earlier trial was activated again"):
        done = operator.run(*TRY)
        assert done.returncode == 0, done
        assert f"This creates the account {EMAIL} in realm (root) of {server.name}" in done.stderr
        assert done.stdout.count(what) == 3
        assert ("phoneNumber was stored" in done.stdout) is (version == "12.1")
    for realm in realms:
        token = operator.token(server.name, realm)
        assert accounts(server, realm, token) == [(EMAIL, "SCIM Test Changed", False)]


def test_a_wrong_name_formatted_included_is_found(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(realms=["acme"])
    wrong = {"acme": {"name_formatted_included": True}}
    operator.write_inventory({server.name: {"scim_realms": wrong}})
    assert operator.apply().returncode == 0
    assert operator.run("verify", *VAULT).returncode == 0  # verify alone cannot see it
    done = operator.run(*TRY, "--format", "json")
    assert done.returncode == 1
    (told,) = json.loads(done.stdout)["servers"]
    (check,) = (each for each in told["checks"] if each["result"] == "failed")
    assert (check["name"], check["http_status"]) == ("test user, create", 400)
    assert "name_formatted_included is true" in check["hint"]
    assert accounts(server, "acme", operator.token(server.name, "acme")) == []


def test_a_person_with_this_address_is_left_alone(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(realms=["acme"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    assert operator.apply().returncode == 0
    token = operator.token(server.name, "acme")
    person = {"userName": EMAIL, "name": {"givenName": "Ada", "familyName": "L"}, "active": True}
    assert scim(server, "acme", token, "POST", "/scim/v2/Users", person)[0] == 201
    done = operator.run(*TRY)
    assert (done.returncode, "it is unchanged" in done.stdout) == (1, True)
    assert accounts(server, "acme", token) == [(EMAIL, "Ada L", True)]


def test_it_asks_first(operator: Operator, lab_server: Callable[..., Server]) -> None:
    server = lab_server(realms=["acme"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    done = operator.run("verify", "--test-user", EMAIL, *VAULT)
    assert done.returncode == 64
    assert "add --yes" in done.stderr
    for words in (("--test-user", 'a"b@example.com'), ("--test-user", "ada"), ("--yes",)):
        assert operator.run("verify", *words, *VAULT).returncode == 64

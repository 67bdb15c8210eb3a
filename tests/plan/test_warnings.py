"""Warnings about what does not work between Zulip and an identity provider."""

from __future__ import annotations

import pytest

from scimconf.plan.warnings import of_server
from scimconf.server_warning import SILENCEABLE
from scimconf.zulip.presets import PRESETS
from tests.factories import desired, observed, realm

FIELDS = {"custom_profile_field_map": {"phoneNumber": "phone"}}


def ids(*realms: object, version: str = "12.1") -> list[str]:
    wanted = desired(*realms)  # type: ignore[arg-type]
    return [each.id for each in of_server(wanted, observed(version=version))]


def test_entra_and_custom_profile_fields() -> None:
    assert ids(realm(idp="entra", **FIELDS)) == ["entra-custom-fields"]
    assert ids(realm(idp="entra")) == []
    assert ids(realm(idp="okta", **FIELDS)) == []
    assert ids(realm(idp="entra", present=False, **FIELDS)) == []
    assert ids(realm(idp="entra", **FIELDS), version="11.0") == []  # the key is left out there


@pytest.mark.parametrize(
    ("idp", "expected"),
    [
        ("authentik", ["deletion-refused", "username-as-email"]),
        ("keycloak", ["username-as-email"]),
        *((each, []) for each in ("okta", "onelogin", "jumpcloud", "other")),
    ],
)
def test_providers_that_differ_from_what_zulip_needs(idp: str, expected: list[str]) -> None:
    assert ids(realm(idp=idp)) == expected


def test_a_warning_names_all_its_realms() -> None:
    realms = [realm(name, idp="keycloak") for name in ("", "acme", "wiki")]
    (warning,) = of_server(desired(*realms), observed(version="9.0"))
    assert warning.text.startswith("realm (root), acme, wiki: the SCIM plug-in of Keycloak sends")
    many = [realm(f"r{number}", idp="keycloak") for number in range(30)]
    (warning,) = of_server(desired(*many), observed(version="9.0"))
    assert "r7 and 22 more: " in warning.text


def test_each_warning_of_a_provider_can_be_silenced() -> None:
    known = [each for preset in PRESETS.values() for each in preset.warnings]
    known += [each for preset in PRESETS.values() for each in preset.field_map_warnings]
    assert {each.id for each in known} <= SILENCEABLE.keys()

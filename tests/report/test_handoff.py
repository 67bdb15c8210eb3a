from __future__ import annotations

import re

import pytest

from scimconf.report.handoff import handoff
from scimconf.secret import Secret
from scimconf.zulip.presets import PRESETS
from tests.factories import realm, server

TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")


def _sheet(idp: str, token: Secret | None = TOKEN, **changes: object) -> str:
    formatted = PRESETS[idp].name_formatted_included
    given = realm("acme", **{"idp": idp, "name_formatted_included": formatted} | changes)
    return handoff(server(given), given, token)


def _field(sheet: str, name: str) -> str:
    found = re.search(rf"^ +{re.escape(name)} {{2,}}(.+)$", sheet, re.MULTILINE)
    assert found, f"no {name} in:\n{sheet}"
    return found[1]


def test_okta_gets_the_word_bearer() -> None:
    sheet = _sheet("okta")
    assert _field(sheet, "Base URL") == "https://acme.chat.example.com/scim/v2"
    assert _field(sheet, "API token") == f"Bearer {TOKEN.reveal()}"
    for fact in (
        "SCIM 2.0 Test App (Header Auth)",
        "Email",
        "Create and update",
        "Deactivate Users",
    ):
        assert fact in sheet
    assert "userName, givenName and familyName" in sheet


def test_entra_gets_the_bare_token_and_its_flag() -> None:
    sheet = _sheet("entra")
    assert _field(sheet, "Tenant URL") == (
        "https://acme.chat.example.com/scim/v2/?aadOptscim062020"
    )
    assert _field(sheet, "Secret Token") == TOKEN.reveal()
    assert _field(sheet, "userName").startswith("mail")
    assert _field(sheet, "name.formatted") == "keep"


@pytest.mark.parametrize("idp", [name for name in PRESETS if name not in ("okta", "entra")])
def test_of_others_it_is_said_what_is_assumed(idp: str) -> None:
    sheet = _sheet(idp)
    assert _field(sheet, "Bearer token") == TOKEN.reveal()
    assert "userName must be the user's email address" in sheet
    assert ("Send name.formatted" in sheet) is PRESETS[idp].name_formatted_included
    assert PRESETS[idp].assumption in " ".join(sheet.split())


def test_an_assumption_that_was_answered_is_not_repeated() -> None:
    sheet = _sheet("keycloak", name_formatted_included=True)
    assert "Send name.formatted" in sheet
    assert "To check" not in sheet


def test_a_realm_that_differs_from_its_preset_is_pointed_out() -> None:
    assert "unlike others of Okta" in _sheet("okta", name_formatted_included=True)
    assert "unlike" not in _sheet("okta")


@pytest.mark.parametrize("idp", PRESETS)
def test_masked_unless_the_token_is_given(idp: str) -> None:
    sheet = _sheet(idp, None)
    assert "<token acme>" in sheet
    assert "scimconf handoff --show-tokens chat1" in sheet
    assert "--show-tokens" not in _sheet(idp)


@pytest.mark.parametrize("idp", PRESETS)
def test_every_sheet_is_plain_text_that_ends_with_the_proof(idp: str) -> None:
    sheet = _sheet(idp, custom_profile_field_map={"phoneNumber": "phone"})
    assert sheet.endswith("\nWhen it is done: scimconf verify chat1\n")
    assert "phoneNumber -> phone" in sheet
    assert all(len(line) <= 100 and line == line.rstrip() for line in sheet.splitlines())
    assert "\n\n\n" not in sheet
    assert sheet.startswith(f"{PRESETS[idp].title} -> https://acme.chat.example.com (realm acme")

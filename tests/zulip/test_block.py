from __future__ import annotations

import ast
import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf.agent import settings_edit
from scimconf.errors import ScimconfError, UsageError
from scimconf.model import Realm
from scimconf.secret import Secret
from scimconf.zulip import block
from tests.factories import realm

TOKEN = Secret("k3V9" * 8)

PRINTABLE = st.text(
    st.characters(codec="utf-8").filter(str.isprintable)
    | st.sampled_from("\"'\\{}%#$,é\U0001f600"),
    max_size=40,
)
TOKENS = st.text(
    st.sampled_from(string.ascii_letters + string.punctuation), min_size=1, max_size=60
)
TEMPLATE_TRAPS = [
    "{{ 7 * 7 }}",
    "{% raw %}",
    '"""',
    "\\",
    '\\"',
    '": None, "x": "',
    "#}",
    "__class__",
]


def _seen(any_realm: Realm, token: Secret, version: str | None) -> Any:
    return json.loads(json.dumps(block.wanted(any_realm, token, version), default=Secret.reveal))


def test_an_entry_is_exactly_what_zulip_documents() -> None:
    text, warnings = block.entry(realm("acme"), TOKEN, "9.0")
    assert text == (
        '"acme": {\n'
        '        "bearer_token": "k3V9k3V9k3V9k3V9k3V9k3V9k3V9k3V9",\n'
        '        "scim_client_name": "okta",\n'
        '        "name_formatted_included": False,\n'
        "    }"
    )
    assert warnings == ()


def test_every_key_has_its_place() -> None:
    full = realm(
        "", create_guests_without_streams=True, custom_profile_field_map={"phoneNumber": "phone"}
    )
    text, warnings = block.entry(full, block.SecretName("scim_bearer_token"), "12.1")
    assert text == (
        '"": {\n'
        '        "bearer_token": get_secret("scim_bearer_token"),\n'
        '        "scim_client_name": "okta",\n'
        '        "name_formatted_included": False,\n'
        '        "create_guests_without_streams": True,\n'
        '        "custom_profile_field_map": {\n'
        '            "phoneNumber": "phone",\n'
        "        },\n"
        "    }"
    )
    assert warnings == ()


def test_keys_that_a_version_does_not_know_are_left_out_and_named() -> None:
    full = realm(
        "acme", create_guests_without_streams=False, custom_profile_field_map={"phone": "phone"}
    )
    for version, left_out in (("8.4", 2), ("9.0", 1), ("12.0", 0), (None, 0)):
        text, warnings = block.entry(full, TOKEN, version)
        assert len(warnings) == left_out
        assert len(block.wanted(full, TOKEN, version)) == 5 - left_out
        for warning in warnings:
            assert "realm acme" in warning
            assert f"Zulip {version}" in warning
        assert ("create_guests_without_streams" in text) is (version != "8.4")
        assert ("custom_profile_field_map" in text) is (left_out == 0)


def test_an_empty_map_and_false_are_written() -> None:
    given_both = realm("acme", create_guests_without_streams=False, custom_profile_field_map={})
    text, _ = block.entry(given_both, TOKEN, "12.1")
    assert '"create_guests_without_streams": False,' in text
    assert '"custom_profile_field_map": {},' in text


def test_a_mask_shows_the_known_facts_about_the_token() -> None:
    assert block.mask(realm("acme"), 43, "ab12").text == (
        "<token acme, 43 characters, fingerprint ab12...>"
    )
    assert block.mask(realm(""), short="ab12").text == "<token (root), fingerprint ab12...>"
    text, _ = block.entry(realm("acme"), block.mask(realm("acme")), "9.0")
    assert '"bearer_token": "<token acme>",' in text


@settings(max_examples=100)
@given(
    token=TOKENS | st.sampled_from([trap for trap in TEMPLATE_TRAPS if " " not in trap]),
    client=PRINTABLE | st.sampled_from(TEMPLATE_TRAPS),
    fields=st.none() | st.dictionaries(PRINTABLE, PRINTABLE, max_size=3),
    guests=st.none() | st.booleans(),
)
def test_python_reads_every_entry_as_intended(
    token: str, client: str, fields: dict[str, str] | None, guests: bool | None
) -> None:
    any_realm = realm(
        "acme", client=client, custom_profile_field_map=fields, create_guests_without_streams=guests
    )
    text, _ = block.entry(any_realm, Secret(token), None)
    assert text.isascii()
    assert ast.literal_eval("{" + text + "}") == {"acme": _seen(any_realm, Secret(token), None)}


@settings(max_examples=25)
@given(token=TOKENS, client=PRINTABLE)
def test_the_editor_of_settings_py_accepts_every_entry(token: str, client: str) -> None:
    entries = {
        name: block.entry(realm(name, client=client), Secret(token), None)[0]
        for name in ("", "acme")
    }
    edited = settings_edit.edit(b"", entries).decode()
    namespace: dict[str, Any] = {}
    exec(edited, namespace)
    assert namespace["SCIM_CONFIG"] == {
        name: _seen(realm(name, client=client), Secret(token), None) for name in entries
    }


@pytest.mark.parametrize("token", ["", "a\nb", "a\0b", "tökén", "x y"])
def test_an_unusable_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UsageError, match="realm acme: the token cannot be used: it") as error:
        block.entry(realm("acme"), Secret(token), "9.0")
    assert not token or token not in str(error.value)


@pytest.mark.parametrize("client", ["a\nb", "a\0b", "\x1b[31m", "\u2028"])
def test_control_characters_are_refused(client: str) -> None:
    with pytest.raises(UsageError, match="control characters"):
        block.entry(realm("acme", client=client), TOKEN, "9.0")


@pytest.mark.parametrize(
    "broken",
    [
        "{realm}: {{}}",
        "{realm}: {{{body}",
        '{realm}: {{{body} "extra": 1}}',
        '{realm}: {{"bearer_token": "old", {body}}}',
        '{realm}: {{{body}}}, "other": {{{body}}}',
        "{realm}: {{{body}}} # }}",
        "{realm}: dict({{{body}}})",
        '"other": {{{body}}}',
        "",
    ],
)
def test_a_template_that_renders_wrong_values_is_an_error(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def render(_name: str, realm: str, items: list[tuple[str, str]]) -> str:
        return broken.format(realm=realm, body="".join(f"{k}: {v}, " for k, v in items))

    monkeypatch.setattr(block, "render", render)
    with pytest.raises(ScimconfError, match="wrong values") as error:
        block.entry(realm("acme"), TOKEN, "9.0")
    assert TOKEN.reveal() not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_another_layout_of_the_template_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    def render(_name: str, realm: str, items: list[tuple[str, str]]) -> str:
        return f"{realm}: {{  # ours\n" + "".join(f"{k} :{v}\n," for k, v in items) + "}\n\n"

    monkeypatch.setattr(block, "render", render)
    text, _ = block.entry(realm("acme"), TOKEN, "9.0")
    assert ast.literal_eval("{" + text + "}") == {"acme": _seen(realm("acme"), TOKEN, "9.0")}

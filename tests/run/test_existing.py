from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scimconf.errors import HostError
from scimconf.run.existing import describe, look
from scimconf.secret import Secret
from scimconf.server_warning import ServerWarning
from scimconf.tokens.generate import generate
from tests.factories import found, observed, server

TOKEN = generate()


def _described(*entries: Any, tokens: Any = None, **changes: Any) -> Any:
    tokens = {entry.string_id: TOKEN for entry in entries} if tokens is None else tokens
    return describe(server(), observed(*entries, **changes), tokens)


def test_entries_become_inventory_variables() -> None:
    values = {"scim_client_name": "okta", "name_formatted_included": False}
    made = _described(
        found(),
        found("wiki", values={"scim_client_name": "okta-emea", "name_formatted_included": True}),
        found("", values={**values, "create_guests_without_streams": True}),
    )
    assert made.variables == {
        "scim_token_store": "settings",
        "scim_realms": {
            "acme": {"idp": "okta"},
            "wiki": {"idp": "other", "client": "okta-emea", "name_formatted_included": True},
            "": {"idp": "okta", "create_guests_without_streams": True},
        },
    }
    assert made.warnings == ()
    assert "gR7" not in repr(made)


def test_hosts_and_the_token_store_become_variables() -> None:
    made = _described(
        found(secret_name="scim_bearer_token_acme"),
        external_host="zulip.example.org",
        realm_hosts={"acme": "chat.acme.example"},
    )
    assert made.variables == {
        "zulip_external_host": "zulip.example.org",
        "scim_token_store": "secrets",
        "scim_realms": {"acme": {"idp": "okta", "url": "https://chat.acme.example"}},
    }


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        ({"unreadable": "bearer_token is computed"}, "bearer_token is computed"),
        ({"secret_name": "my_own"}, "its token is in my_own, not in scim_bearer_token_wiki"),
        ({"string_id": "Wiki"}, "must be lower-case"),
        ({"values": {"custom_profile_field_map": {"a": 1}}}, "the inventory cannot express"),
        ({"values": {"custom_profile_field_map": ["a"]}}, "the inventory cannot express"),
        ({"values": {"custom_profile_field_map": {"{{ 1 }}": "a"}}}, "could be a template"),
        ({"values": {"custom_profile_field_map": {"b": "c", "{% if": "a"}}}, "could be a template"),
        ({"values": {"custom_profile_field_map": {"#jinja2: x": "a"}}}, "could be a template"),
        ({"values": {"custom_profile_field_map": {"!unsafe x": "a"}}}, "could be a template"),
        ({"values": {"create_guests_without_streams": "no"}}, "the inventory cannot express"),
        ({"values": {"scim_client_name": "-x"}}, "starts with a letter or digit"),
    ],
)
def test_a_realm_that_the_inventory_cannot_express_is_left_out(strange: Any, words: str) -> None:
    ours = found(secret_name="scim_bearer_token_acme")
    theirs = found(
        **{"string_id": "wiki", "secret_name": "scim_bearer_token_wiki", **strange}
    )  # fmt: skip
    made = _described(ours, theirs)
    assert set(made.variables["scim_realms"]) == set(made.tokens) == {"acme"}
    (warning,) = made.warnings
    assert words in warning.text


def test_a_realm_without_a_token_is_left_out() -> None:
    made = _described(found(), found("wiki", token=None), tokens={"acme": TOKEN})
    assert set(made.tokens) == {"acme"}
    text = "realm wiki is left out, and stays unchanged: it has no token"
    assert made.warnings == (ServerWarning("not-imported", text),)


def test_invalid_host_names_are_refused() -> None:
    made = _described(found(), realm_hosts={"acme": "chat.example/{{ lookup('pipe', 'id') }}"})
    assert made.tokens == {}
    assert "the inventory cannot express" in made.warnings[0].text
    made = _described(found(), realm_hosts={"acme": "[fe80::1%{{lookup('pipe','id')}}]"})
    assert made.tokens == {}
    with pytest.raises(HostError, match="EXTERNAL_HOST: expected a host name"):
        _described(found(), external_host="{{ lookup('pipe', 'id') }}")


def test_imported_realms_with_weaknesses_are_warnings() -> None:
    entry = found(values={"scim_client_name": "okta", "comment": "<masked>"})
    made = _described(entry, tokens={"acme": Secret("hunter2")})
    assert set(made.tokens) == {"acme"}
    weak, missing, extra = (each.text for each in made.warnings)
    assert "36 bits" in weak
    assert "scimconf rotate chat1 --realm acme" in weak
    assert missing.endswith("it lacks name_formatted_included, which apply will add")
    assert extra.endswith("Zulip does not use its comment, which apply will remove")


class _Agent:
    def __init__(self, *answers: Mapping[str, object]) -> None:
        self.answers = list(answers)

    def ask(
        self, request: Mapping[str, object], seconds: float = 900.0
    ) -> Iterator[Mapping[str, object]]:
        yield self.answers.pop(0)


FACTS: dict[str, object] = {
    "final": True, "version": "9.0", "has_client_command": False, "external_host": None,
    "realm_hosts": {}, "settings_sha256": "", "secrets_sha256": None, "unknown_secrets": "",
    "block": None, "has_get_secret": False, "realms": {}, "secret_names": [],
    "right_secrets": [], "fields": {}, "unknown_fields": "", "clients": None, "own_clients": [],
    "deliveries": {},
    "running": {}, "blocked": "", "interrupted": "", "at_work": "", "finished_alone": None,
    "lost": "", "given_secrets": [], "unseen": "", "sites": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "answer", "words"),
    [
        ({"blocked": "/s.py:3:1: twice"}, {}, "/s.py:3:1: twice"),
        ({}, {"final": True, "tokens": {}}, "nothing to import: SCIM_CONFIG is missing"),
        ({}, {"final": True, "tokens": {"acme": 3}}, "invalid response"),
        ({}, {"final": True, "tokens": "x"}, "invalid response"),
        ({"unknown_secrets": "no leave"}, {"final": True, "tokens": {}}, "no leave"),
    ],
)
def test_a_server_that_cannot_be_imported(
    facts: dict[str, object], answer: dict[str, object], words: str
) -> None:
    with pytest.raises(HostError, match=words):
        look(_Agent({**FACTS, **facts}, answer), server())

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.zulip.bearer import secret_name, why_unusable


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("", "empty"),
        ("tökén", "ASCII"),
        ("a\0b", "NUL"),
        ("a\nb", "line break"),
        ("ab\r", "line break"),
        ("a\tb", "control"),
        ("a\x7fb", "control"),
        ("a b", "space"),
        ("Bearer abc", 'the word "Bearer"'),
    ],
)
def test_the_reason_why_a_token_is_unusable(token: str, word: str) -> None:
    assert word in (why_unusable(token) or "")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_all_other_ascii_texts_are_accepted(token: str) -> None:
    assert why_unusable(token) is None


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?", fullmatch=True) | st.just(""))
def test_a_secrets_name_is_read_back_by_zulips_parser(string_id: str) -> None:
    name = secret_name(string_id)
    parser = configparser.RawConfigParser()
    parser.read_string(f"[secrets]\n{name} = x%y\n")
    assert parser.get("secrets", name) == "x%y"
    assert parser.options("secrets") == [name]


def test_the_names_of_secrets() -> None:
    assert secret_name("acme") == "scim_bearer_token_acme"
    assert secret_name("") == "scim_bearer_token"
    assert secret_name("a-b") == "scim_bearer_token_a_b"

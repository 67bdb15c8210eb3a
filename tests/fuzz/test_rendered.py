"""Unusual tokens and custom fields are rendered correctly, or refused with the reason."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scimconf.agent import settings_edit
from scimconf.agent.errors import Refusal
from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.zulip import block
from tests.factories import realm
from tests.fuzz import evaluate, settings_files

NASTY = (
    "'", '"', "\\", "{", "}", "{{", "}}", "{%", "%}", "{#", "#}", "%", "%s", "$", "#", '"""', "'''",
    "\\N{BULLET}", "\\x00", "\\", "\n", "\r", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\u2028",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "\U0001f600", "👨‍👩‍👧", "é", "ﬁ", "表", " ",
    "SCIM_CONFIG", "get_secret('x')", "None", "k3V9",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(NASTY), max_size=5).map("".join) | st.text(max_size=10)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3), st.integers(0, 10_000))
@example("SCIM_CONFIG", "SCIM_CONFIG", {"SCIM_CONFIG": "SCIM_CONFIG"}, 3248)
def test_python_reads_the_rendered_values(
    token: str, client: str, fields: dict[str, str] | None, seed: int
) -> None:
    """In any file that the editor accepts, with the code of `render` and the agent."""
    asked = realm("acme", client=client, custom_profile_field_map=fields)
    try:
        text, _ = block.entry(asked, Secret(token), None)
    except UsageError as error:
        reason = str(error)
        assert reason.isprintable()
        assert "token cannot be used: it" in reason or "control characters" in reason
        texts = (client, *(each for pair in (fields or {}).items() for each in pair))
        assert block.why_unusable(token) or not all(each.isprintable() for each in texts)
        return
    assert text.isascii()
    file = settings_files.settings_file(Random(seed))
    try:
        after = settings_edit.edit(file.data, {"acme": text})
    except Refusal:
        after = settings_edit.edit(b"", {"acme": text})
    seen = evaluate.namespace(after)
    if seen is not None:
        expected = {"bearer_token": token, **block.values(asked, None)}
        assert seen["SCIM_CONFIG"]["acme"] == expected


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "it is empty"),
        ("a\nb", "line break"),
        ("a\0b", "NUL character"),
        ("a\tb", "control characters"),
        ("a\x1b[31m", "control characters"),
        ("a b", "space"),
        ("a\u202eb", "characters outside ASCII"),
        ("a\U0001f600", "characters outside ASCII"),
    ],
)
def test_an_invalid_token_is_refused_with_the_reason(token: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        block.entry(realm("acme"), Secret(token), None)


@pytest.mark.parametrize("text", ["a\nb", "\0", "\u202e", "\u2066x", "\u2028", "\ud800", "\x7f"])
def test_a_field_with_control_characters_is_refused_in_printable_text(text: str) -> None:
    for fields in ({"phone": text}, {text: "phone"}):
        with pytest.raises(UsageError, match="control characters") as error:
            block.entry(realm("acme", custom_profile_field_map=fields), Secret("k3V9" * 8), None)
        assert str(error.value).isascii()
        assert str(error.value).isprintable()

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.sanitize import escape_ci_commands, one_line, sanitize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"plain", "plain"),
        ("one\r\n\n  two\t words \n", "one / two words"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07done", "red done"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x1b]0;never ended", ""),
        (b"\x9b31m caf\xc3\xa9 \xff", "�31m café �"),
        ("a\u202eb\u2028c\x00d", "a b c d"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_one_line(text: bytes | str, expected: str) -> None:
    assert one_line(text) == expected


@given(st.text() | st.binary())
def test_one_line_returns_one_short_visible_line(text: str | bytes) -> None:
    shown = one_line(text, 40)
    assert len(shown) <= 40
    assert shown.isprintable()
    shown.encode("utf-8")


@given(st.text())
def test_sanitize_leaves_nothing_that_a_terminal_executes(text: str) -> None:
    shown = sanitize(text, limit=10_000)
    assert not {unicodedata.category(c) for c in shown if c not in "\n\t"} & {"Cc", "Cf", "Cs"}


def test_sanitized_characters_stay_visible() -> None:
    assert sanitize("a\x1b[31mb\u202ec\n\td") == "a\\x1b[31mb\\u202ec\n\td"


def test_the_length_is_bounded() -> None:
    assert sanitize("x" * 50, limit=10) == "x" * 10 + " [...]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chat1: lock a::b # c [d] ## e", "chat1: lock a::b # c [d] ## e"),
        ("::error::x", "\\x3a:error::x"),
        ("said\n \t::add-mask::x", "said\n \t\\x3a:add-mask::x"),
        ("lock ##[add-matcher]/x", "lock #\\x23[add-matcher]/x"),
        ("###[x]", "##\\x23[x]"),
    ],
)
def test_a_ci_job_finds_no_command(text: str, expected: str) -> None:
    assert escape_ci_commands(text) == expected

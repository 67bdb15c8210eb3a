from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.ssh.foreign import harmless


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
def test_examples(text: bytes | str, expected: str) -> None:
    assert harmless(text) == expected


@given(st.text() | st.binary())
def test_whatever_comes_one_short_visible_line_is_left(text: str | bytes) -> None:
    shown = harmless(text, 40)
    assert len(shown) <= 40
    assert shown.isprintable()
    shown.encode("utf-8")

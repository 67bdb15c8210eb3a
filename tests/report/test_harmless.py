from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from scimconf.report.harmless import harmless


@given(st.text())
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = harmless(text, limit=10_000)
    assert not {unicodedata.category(c) for c in shown if c not in "\n\t"} & {"Cc", "Cf", "Cs"}


def test_what_was_there_can_still_be_seen() -> None:
    assert harmless("a\x1b[31mb\u202ec\n\td") == "a\\x1b[31mb\\u202ec\n\td"


def test_the_length_is_bounded() -> None:
    assert harmless("x" * 50, limit=10) == "x" * 10 + " [...]"

"""Values of INI inventories. tests/oracle compares many more of them with Ansible."""

from __future__ import annotations

import ast
import warnings
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.inventory import literals
from scimconf.inventory.literals import NotPlain, literal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22", 22),
        ("0022", "0022"),
        ("True", True),
        ("true", "true"),
        ("None", None),
        ("(1, 2)", [1, 2]),
        ("{'a': ('b',)}", {"a": ["b"]}),
        ("b'x'", "x"),
        ("...", "..."),
        ("1j", "1j"),
        ("a # b", "a # b"),
        ("1 # b", 1),
    ],
)
def test_a_literal_or_text(text: str, value: object) -> None:
    found, _ = literal(text)
    assert found == value
    assert type(found) is type(value)


def test_the_number_of_values_is_counted() -> None:
    assert literal("[1, {'a': (2, 3)}]") == ([1, {"a": [2, 3]}], 7)


@pytest.mark.parametrize("deep", ["-" * 16_000 + "1", "1" + "+1" * 8_000, "a" + "()" * 8_000])
def test_a_deep_expression_does_not_end_the_process(deep: str) -> None:
    with pytest.raises(NotPlain, match="nested too deep"):
        literal(deep)


def test_python_warns_about_no_value() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert literal("'\\d'") == ("\\d", 1)


@given(st.from_regex(literals._TEXT, fullmatch=True) | st.integers(0, 10**9).map(str))
def test_short_cuts_agree_with_python(text: str) -> None:
    with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        assert literal(text)[0] == ast.literal_eval(text)
        return
    assert literal(text)[0] == text


@given(st.text("ab'\"\\{}[](),:1+-*.#x \x00é", max_size=30))
def test_any_text_has_a_value_or_a_message(text: str) -> None:
    try:
        literal(text)
    except NotPlain:
        return

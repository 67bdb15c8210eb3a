"""Read JSON: the values of a JSON parser, with positions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf import yamlfile
from scimconf.errors import InventoryError
from scimconf.model import Position, Unsafe, VaultValue
from scimconf.yamlfile import composer

TEXT = st.text(st.characters(codec="utf-16"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


def problem(text: str) -> str:
    with pytest.raises(InventoryError) as caught:
        yamlfile.parse_json(text, "f.json")
    (only,) = caught.value.problems
    return f"{only.position}: {only.message}" + (f" ({only.hint})" if only.hint else "")


@given(
    st.dictionaries(TEXT, VALUES, max_size=4),
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff", " \r\n"]),
)
@settings(max_examples=150)
def test_any_json(
    value: dict[str, object], indent: str | int | None, ascii_: bool, head: str
) -> None:
    text = head + json.dumps(value, indent=indent, ensure_ascii=ascii_)
    document = yamlfile.parse(text, "f")
    assert repr(document.data) == repr(value)
    assert document.is_json
    for key in value:
        at = document.position((key,))
        assert text.splitlines()  # not empty
        line = text.replace("\r\n", "\n").split("\n")[at.line - 1]
        assert json.JSONDecoder().raw_decode(line, at.column - 1)[0] == key


def test_positions() -> None:
    document = yamlfile.parse('{"a": {"b": [1,\n  {"c": "x"}]},\n\t"d": 2}', "f")
    assert document.position(("a", "b", 1, "c")) == Position("f", 2, 4)
    assert document.value_position(("a", "b", 1, "c")) == Position("f", 2, 9)
    assert document.position(("d",)) == Position("f", 3, 2)
    assert document.line_span(("a",)) == (1, 2)


def test_ansibles_json_for_its_tags() -> None:
    document = yamlfile.parse(
        '{"a": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\\n66"},'
        ' "b": {"__ansible_unsafe": "{{ x }}"}, "c": {"__ansible_vault": 1}, "d": {}}',
        "f",
    )
    assert document.data == {
        "a": VaultValue("$ANSIBLE_VAULT;1.1;AES256\n66", Position("f", 1, 7)),
        "b": "{{ x }}",
        "c": {"__ansible_vault": 1},
        "d": {},
    }
    assert isinstance(document.data["b"], Unsafe)


def test_text_that_only_looks_like_json_is_yaml() -> None:
    document = yamlfile.parse("{a: 1e3, 'b': no,}", "f")
    assert document.data == {"a": "1e3", "b": False}
    assert not document.is_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.json:1:1: expected a value"),
        ("{", "f.json:1:2: expected a key in double quotes"),
        ('{"a"', "f.json:1:5: expected a colon"),
        ('{"a": }', "f.json:1:7: expected a value"),
        ('{"a": 1', "f.json:1:8: expected a comma or a closing bracket"),
        ('{"a": [1 2]}', "f.json:1:10: expected a comma or a closing bracket"),
        ('{"a": 1,}', "f.json:1:"),  # the position and the reason depend on the version of Python
        ('{"a": NaN}', "f.json:1:1: NaN is not a JSON value"),
        ("1" * 1001, "f.json:1:1: a number has more than 1000 digits"),
        ('{"a": "x', "f.json:1:7: this text is not closed"),
        ('{"a": "x\n"}', "f.json:1:9: this text is not closed, or has a character"),
        ('{"a": 01}', "f.json:1:8: expected a comma or a closing bracket"),
        ("{} x", "f.json:1:4: unexpected text after the end"),
        ('{"a": 1,\n "a": 2}', "f.json:2:2: duplicate key 'a' (the first one is in line 1)"),
        ("[" * 70 + "]" * 70, "f.json:1:65: the file is nested more than 64 levels deep"),
    ],
)
def test_text_that_is_not_json(text: str, expected: str) -> None:
    assert problem(text).startswith(expected)


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "MAX_NODES", 10)
    assert "more than 10 keys and values" in problem(json.dumps(list(range(10))))


@given(st.text('{}[]:,"\\0a1.e-+tnu \n\ud83d', max_size=40))
@settings(max_examples=200)
def test_any_text_is_json_or_an_inventory_error(text: str) -> None:
    try:
        document = yamlfile.parse_json(text, "f")
    except InventoryError:
        with pytest.raises((json.JSONDecodeError, KeyError)):
            json.loads(text, object_pairs_hook=_once)
    else:
        assert document.data == json.loads(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise KeyError("twice")
    return dict(pairs)

"""Read YAML: Ansible's values, positions, limits and error messages."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf import yamlfile
from scimconf.errors import ExitCode, InventoryError
from scimconf.model import Position, Problem, Unsafe, VaultValue
from scimconf.yamlfile import composer


def data(text: str) -> object:
    return yamlfile.parse(text, "f.yaml").data


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InventoryError) as caught:
        yamlfile.parse(text, "f.yaml")
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.problems


def problem(text: str) -> str:
    (only,) = problems(text)
    return f"{only.position}: {only.message}" + (f" ({only.hint})" if only.hint else "")


# --- values: YAML 1.1 as PyYAML reads it -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("No", False),
        ("ON", True),
        ("off", False),
        ("y", "y"),
        ("yEs", "yEs"),
        ("~", None),
        ("", None),
        ("NULL", None),
        ("0022", 18),
        ("08", "08"),
        ("0o17", "0o17"),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("+12", 12),
        ("1:30", 90),
        ("-1:30:00", -5400),
        ("1:30.5", 90.5),
        ("-1:30.5", -90.5),
        ("1:60", "1:60"),
        ("1.5", 1.5),
        ("1e3", "1e3"),
        ("1.0e+3", 1000.0),
        (".5", 0.5),
        ("-.5", "-.5"),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("'12'", "12"),
        ("! 12", 12),
        ('! "12"', 12),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("!!float 12", 12),
        ("!!bool yes", True),
        ("2024-02-29", datetime.date(2024, 2, 29)),
        (
            "2001-12-14t21:59:43.10-05:00",
            datetime.datetime(
                2001, 12, 14, 21, 59, 43, 100000, datetime.timezone(datetime.timedelta(hours=-5))
            ),
        ),
        (
            "2001-12-14 21:59:43Z",
            datetime.datetime(2001, 12, 14, 21, 59, 43, 0, datetime.timezone.utc),
        ),
        ("2001-12-14 21:59:43", datetime.datetime(2001, 12, 14, 21, 59, 43)),  # noqa: DTZ001
        ("9" * 1001, "9" * 1001),
    ],
)
def test_scalars_are_read_as_ansible_reads_them(text: str, value: object) -> None:
    found = data(f"- {text}" if text != "-" else "a: '-'")
    found = found[0] if isinstance(found, list) else found["a"]  # type: ignore[index]
    assert found == value
    assert type(found) is type(value) or text == "!!float 12"


def test_nan_is_a_float() -> None:
    assert math.isnan(data("[.nan]")[0])  # type: ignore[index]


def test_keys_follow_the_same_rules() -> None:
    assert data("no: 1\n0022: 2\n~: 3\n'on': 4") == {False: 1, 18: 2, None: 3, "on": 4}


def test_vault_and_unsafe() -> None:
    found = data(
        "a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  66\nb: !unsafe '{{ x }}'\n"
        "c: !unsafe [p, {q: r}, 1]"
    )
    assert isinstance(found, dict)
    assert found["a"] == VaultValue("$ANSIBLE_VAULT;1.1;AES256\n66\n", Position("f.yaml", 1, 4))
    assert found["b"] == "{{ x }}"
    assert isinstance(found["b"], Unsafe)
    assert isinstance(found["c"][0], Unsafe)
    assert isinstance(found["c"][1]["q"], Unsafe)
    assert found["c"][2] == 1


def test_merges_follow_pyyaml() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  y: 3\nd: {<<: *b, <<: *a}"
    found = data(text)
    assert isinstance(found, dict)
    assert found["c"] == {"x": 1, "y": 3, "z": 2}
    assert found["d"] == {"x": 1, "y": 1, "z": 2}


def test_a_colon_in_a_flow_collection_is_text() -> None:
    assert data("[op://x, {u: http://y}]") == ["op://x", {"u": "http://y"}]


def test_a_quoted_merge_key_is_a_key() -> None:
    assert data('"<<": {a: 1}') == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff"])
def test_an_empty_document_is_none(text: str) -> None:
    assert data(text) is None


def test_byte_order_mark_and_line_breaks() -> None:
    document = yamlfile.parse("\ufeffa: 1\r\nb:\r\n  c: 2\r\n", "f")
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert document.position(("b", "c")) == Position("f", 3, 3)


# --- positions---------------------------------------------------------------------------------

TEXT = """\
# a comment
top:
  first: {a: 1, "b": [x, y]}
  # about second
  second: !vault |
    line
    line

  third:
    deep: >-
      folded
      text
  # the end of third
last: &anchor
  k: v
copy:
  <<: *anchor
  own: 1
"""


@pytest.fixture
def document() -> yamlfile.Document:
    return yamlfile.parse(TEXT, "f.yaml")


@pytest.mark.parametrize(
    ("way", "key", "value"),
    [
        ((), (1, 1), (1, 1)),
        (("top",), (2, 1), (3, 3)),
        (("top", "first"), (3, 3), (3, 10)),
        (("top", "first", "b"), (3, 17), (3, 22)),
        (("top", "first", "b", 1), (3, 26), (3, 26)),
        (("top", "third", "deep"), (10, 5), (10, 11)),
        (("copy", "own"), (18, 3), (18, 8)),
    ],
)
def test_positions(
    document: yamlfile.Document, way: yamlfile.KeyPath, key: tuple[int, int], value: tuple[int, int]
) -> None:
    assert document.position(way) == Position("f.yaml", *key)
    assert document.value_position(way) == Position("f.yaml", *value)


def test_an_entry_without_a_position_has_its_parents_position(document: yamlfile.Document) -> None:
    assert document.position(("copy", "k")) == document.position(("copy",))
    assert document.position(("copy", "nowhere", "x")) == document.position(("copy",))
    assert document.position(("top", "first", "b", 7)) == document.position(("top", "first", "b"))
    assert document.position(("nowhere",)) == Position("f.yaml", 1, 1)


@pytest.mark.parametrize(
    ("way", "lines"),
    [
        (("top",), (2, 12)),
        (("top", "first"), (3, 3)),
        (("top", "second"), (5, 7)),
        (("top", "third"), (9, 12)),
        (("last",), (14, 15)),
        (("copy",), (16, 18)),
        (("copy", "own"), (18, 18)),
    ],
)
def test_line_spans(
    document: yamlfile.Document, way: yamlfile.KeyPath, lines: tuple[int, int]
) -> None:
    assert document.line_span(way) == lines


def test_no_line_span_without_a_position(document: yamlfile.Document) -> None:
    with pytest.raises(KeyError):
        document.line_span(("copy", "k"))


def test_line_span_of_an_empty_value() -> None:
    document = yamlfile.parse("a:\n\n# x\nb: 1\nc: |\n", "f")
    assert [document.line_span((key,)) for key in "abc"] == [(1, 1), (4, 4), (5, 5)]
    assert document.value_position(("a",)) == Position("f", 1, 2)


# --- error messages ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: duplicate key 'a' (the first one is in line 1)"),
        ("a:\n\tb: 1", "f.yaml:2:1: YAML does not allow a tab"),
        ("\ta: 1", "f.yaml:1:1: YAML does not allow a tab"),
        ("a: 1\n\tb: 2", "f.yaml:2:1: YAML does not allow a tab"),
        ("a: 'x", "f.yaml:1:4: this quote is never closed"),
        ("a: [1", "f.yaml:1:4: this [ is not closed"),
        ("a: [1\nb: 2\n", "f.yaml:1:4: this [ is not closed, or a comma is missing"),
        ("a: {x: [1, 2}\nb: 3", "f.yaml:1:8: this [ is not closed"),
        ("a: {x: 1\nb: {y: 2}", "f.yaml:1:4: this { is not closed"),
        ("\ufeffa: [1", "f.yaml:1:5: this [ is not closed"),
        ("a:\n  b: {c: [\n", "f.yaml:2:10: this bracket is not closed"),
        ("a: ]", "f.yaml:1:4: a value is missing here"),
        ("a: - b", "f.yaml:1:4: a list item is not allowed here"),
        ('a: "\\q"', "f.yaml:1:6: this backslash escape is not valid"),
        ("a: !<x y", "f.yaml:1:7: this tag is not valid"),
        ("a: &", "f.yaml:1:5: a name is missing after & or *"),
        ("a: b: c", "f.yaml:1:5: a colon is not allowed here (check the indentation"),
        ("- a\nb: 1", "f.yaml:2:1: the indentation does not match the lines above"),
        ("a: 1\nb\nc: 1", "f.yaml:2:1: a colon is missing"),
        ("a: *x", "f.yaml:1:4: the alias *x has no anchor &x above it"),
        ("a: &x [*x]", "f.yaml:1:8: the alias *x is inside its own anchor"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: the file has more than one YAML document"),
        ("a\0: 1", "f.yaml:1:2: the character U+0000 is not allowed in YAML"),
        ("a: \x1b[31m", "f.yaml:1:4: the character U+001B is not allowed in YAML"),
        ("a: !foo x", "f.yaml:1:4: unknown tag !foo (supported tags: !vault, !unsafe)"),
        ("a: !foo [x]", "f.yaml:1:4: unknown tag !foo"),
        ("a: !!binary eA==", "f.yaml:1:4: unknown tag !!binary"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: unknown tag !!python/object:os.system"),
        ("a: !!int x", "f.yaml:1:4: this value does not match the tag !!int"),
        ("a: 2024-13-01", "f.yaml:1:4: this looks like a number or a date"),
        ("<<: 3", "f.yaml:1:5: << needs a mapping or a list of mappings"),
        ("[a, b]: 1", "f.yaml:1:1: a key must be text, not a list or a mapping"),
        ("a: {{ x }}", "f.yaml:1:5: a key must be text, not a list or a mapping (quote a value"),
        ("a: @x", "f.yaml:1:4: a value cannot start with @ (quote it)"),
        (
            "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n",
            "f.yaml:2:1: the file has an unresolved git merge conflict",
        ),
        ("%0", "f.yaml:1:3: this text does not belong"),
        ("|\n \n  x\n x", "f.yaml:3:3: this line is indented less"),
        ("[" * 2000, "f.yaml:1:65: the file is nested more than 64 levels deep"),
        ("[" * 200_000, "f.yaml:1:65: the file is nested more than 64 levels deep"),
        ("{a: " * 2000, "f.yaml:1:257: the file is nested more than 64 levels deep"),
        ("- " * 2000 + "x", "f.yaml:1:129: the file is nested more than 64 levels deep"),
    ],
)
def test_problems(text: str, expected: str) -> None:
    assert problem(text).startswith(expected)


def test_every_problem_is_reported_at_once() -> None:
    found = problems("a: 1\na: !foo x\nb: 2024-99-99\nc: [1\n")
    assert [each.position and each.position.line for each in found] == [2, 2, 3, 4]


def test_64_levels_are_fine() -> None:
    assert data("[" * 64 + "]" * 64)


def test_a_billion_laughs() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert "with its aliases the file has more than 500000" in problem(bomb)


def test_merges_count_as_aliases_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "MAX_NODES", 1000)
    bomb = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(100)) + "}\n" + "b:\n"
    bomb += "  - <<: *a\n" * 10
    assert "with its aliases the file has more than 1000" in problem(bomb)


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "MAX_NODES", 1000)
    assert data("[" + "1," * 999 + "]")
    assert "more than 1000 keys and values" in problem("[" + "1," * 1000 + "]")


# --- files -------------------------------------------------------------------------------------


def file_problem(path: Path) -> str:
    with pytest.raises(InventoryError) as caught:
        yamlfile.load(path)
    (only,) = caught.value.problems
    return f"{only.position}: {only.message}" if only.position else only.message


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: ü\n", encoding="utf-8")
    document = yamlfile.load(path)
    assert document.data == {"a": "ü"}
    assert document.position(("a",)) == Position(str(path), 1, 1)


def test_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    assert file_problem(path) == f"{path} is larger than 8 MiB and was not read"


def test_an_endless_file_is_not_read_to_the_end() -> None:
    assert "is larger than 8 MiB" in file_problem(Path("/dev/zero"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert file_problem(tmp_path) == f"{tmp_path} is a folder, expected a file"
    assert (
        file_problem(tmp_path / "no") == f"cannot read {tmp_path / 'no'}: No such file or directory"
    )
    assert file_problem(Path("a\0b")) == "'a\\x00b' is not a valid file name"
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xfc\n")
    assert (
        file_problem(tmp_path / "latin") == f"{tmp_path / 'latin'}:2:4: the file is not UTF-8 text"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.touch(0o000)
    assert file_problem(path) == f"cannot read {path}: Permission denied"


def test_threads_do_not_share_a_parser() -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(data(f"n: {n}\nm: {{k: [{n}]}}")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each["n"] for each in found) == list(range(8))  # type: ignore[index]


# --- generated texts -----------------------------------------------------------------------------


@given(st.text("ab:-[]{},&*!|>'\"#%@`\n\t <?0.~", max_size=60))
@settings(max_examples=100)
def test_any_text_gives_data_or_an_inventory_error(text: str) -> None:
    with contextlib.suppress(InventoryError):
        assert yamlfile.parse(text, "f").text == text


tree = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcxyz012-", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(tree)
@settings(max_examples=100)
def test_json_is_read_as_it_is(value: object) -> None:
    assert data(json.dumps(value)) == value


def test_libyaml_and_ruamels_own_parser_build_the_same() -> None:
    fast, pure = (yamlfile._yaml(TEXT, "f", pure=pure) for pure in (False, True))
    assert fast.data == pure.data
    assert list(fast._spans.values()) == list(pure._spans.values())

"""Read INI inventories as ansible-core does.

A run compares a sample of the generated ones. With SCIMCONF_MATRIX=all it compares all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests import matrix
from tests.oracle import ini_by_hand
from tests.oracle.agreement import check, refused
from tests.oracle.client import Oracle
from tests.oracle.generated import CONNECTION, GROUPS, HOSTS
from tests.oracle.ours import Ours

pytestmark = pytest.mark.needs_ansible


@pytest.mark.parametrize("name", ini_by_hand.CASES)
def test_by_hand(name: str, oracle: Oracle, tmp_path: Path) -> None:
    sources = ini_by_hand.lay_out(ini_by_hand.CASES[name], tmp_path)
    check(oracle, sources)


@pytest.mark.parametrize("name", ini_by_hand.REFUSED)
def test_both_refuse(name: str, oracle: Oracle, tmp_path: Path) -> None:
    sources = ini_by_hand.lay_out(ini_by_hand.REFUSED[name], tmp_path)
    assert refused(oracle.inventory(sources))
    errors = Ours.read(sources).errors
    assert errors
    assert all(re.match(r"\S+/hosts\.ini:\d+:\d+: ", error) for error in errors)


def test_comments_in_latin_1(oracle: Oracle, tmp_path: Path) -> None:
    source = tmp_path / "hosts"
    source.write_bytes("# für\n[web]\na x=1\n; Größe\nb\n".encode("latin-1"))
    check(oracle, [source])


def test_values(oracle: Oracle, tmp_path: Path) -> None:
    """Each value is compared in a section with variables and on a line with a host."""
    lines = ["[web:vars]", *(f"v{n} = {text}" for n, text in enumerate(ini_by_hand.VALUES))]
    lines += ["[web]", "a"]
    for n, text in enumerate(ini_by_hand.VALUES):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'b w{n}="{quoted}"')
    source = tmp_path / "hosts.ini"
    source.write_text("\n".join(lines), encoding="utf-8")
    check(oracle, [source])


PLAIN = st.text("ab 01_.-+=,:;#'\"\\()[]TrueNé\t", max_size=8).filter(lambda text: "\n" not in text)
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab'\"\\é#= ", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("abé'", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
).map(repr)
VALUES = st.sampled_from(ini_by_hand.VALUES) | LITERALS | PLAIN


@st.composite
def _pair(draw: DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from(["u", "v", "w", *CONNECTION]))
    words = [word.strip("'\"") for word in CONNECTION.get(name, ())]
    return name, draw(st.sampled_from(words) if words else VALUES)


@st.composite
def _host(draw: DrawFn) -> str:
    names = (*HOSTS, "web[1:3].x", "db-[a:c]", "n[01:05:2]", "c:2222", "m[1:2]:2200")
    words = [draw(st.sampled_from(names))]
    for name, value in draw(st.lists(_pair(), max_size=3)):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        raw = f"{name}={value}"
        words.append(draw(st.sampled_from([f'{name}="{escaped}"', f'{name}="{escaped}"', raw])))
    return draw(st.sampled_from([" ", "  ", "\t"])).join(words) + draw(
        st.sampled_from(["", "", " # a comment", "  "])
    )


@st.composite
def inis(draw: DrawFn) -> str:
    """Generate an INI inventory. Children come later in the list, so that there is no circle."""
    lines = draw(st.lists(_host(), max_size=2))
    declared = set()
    for _ in range(draw(st.integers(0, 7))):
        kind = draw(st.sampled_from(["", "", ":hosts", ":vars", ":children"]))
        n = draw(st.integers(0, len(GROUPS) - 1))
        lines.append(f"[{GROUPS[n]}{kind}]" + draw(st.sampled_from(["", "", " ", " # x"])))
        if kind == ":vars":
            pairs = draw(st.lists(_pair(), max_size=3))
            equals = draw(st.sampled_from(["=", " = ", "= "]))
            lines += [f"{name}{equals}{value}" for name, value in pairs]
        elif kind == ":children":
            lines += draw(st.lists(st.sampled_from(GROUPS[n + 1 :] or ["nosuch"]), max_size=2))
        else:
            lines += draw(st.lists(_host(), max_size=2))
        declared |= {GROUPS[n]} if kind != ":vars" else set()
    if draw(st.integers(0, 9)):
        lines += [f"[{group}]" for group in GROUPS if group not in declared]
    lines += [f"[all:vars]\nx={draw(VALUES)}", "[ungrouped]", "; the end"]
    return "\n".join(lines) + "\n"


_count = {"agreed": 0, "refused": 0}


@pytest.fixture(autouse=True, scope="module")
def counted() -> Iterator[None]:
    """Check that most generated inventories were read, and not refused, by both programs."""
    yield
    if sum(_count.values()) > 1:
        assert _count["agreed"] > 2 * _count["refused"], _count


@given(inis())
@settings(
    max_examples=300 if matrix.ALL else 40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated(oracle: Oracle, text: str) -> None:
    with TemporaryDirectory() as folder:
        source = Path(folder, "hosts.ini")
        source.write_text(text, encoding="utf-8")
        if Ours.read([source]).errors:
            assert refused(oracle.inventory([source])), text
            _count["refused"] += 1
        else:
            check(oracle, [source])
            _count["agreed"] += 1

"""Host ranges and ports."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf.inventory.ranges import expand, split_port


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("web", ["web"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[01:10:3].x", ["web01.x", "web04.x", "web07.x", "web10.x"]),
        ("web[:2]", ["web0", "web1", "web2"]),
        ("web[8:10]", ["web8", "web9", "web10"]),
        ("[a:c]", ["a", "b", "c"]),
        ("x[a:e:2]y", ["xay", "xcy", "xey"]),
        ("x[y:B]", ["xy", "xz", "xA", "xB"]),
        ("a[1:2]-[x:y]", ["a1-x", "a1-y", "a2-x", "a2-y"]),
    ],
)
def test_expand(name: str, hosts: list[str]) -> None:
    assert expand(name) == hosts


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web[1]", "[1] is not a host range"),
        ("web[1:2:3:4]", "is not a host range"),
        ("web[1:]", "is not a host range"),
        ("web[3:1]", "the first number must not be greater than the last"),
        ("web[c:a]", "the first letter must not come after the last"),
        ("web[01:100]", "01 and 100 must have the same number of digits"),
        ("web[1:2:0]", "the step must be a number of at least 1"),
        ("web[1:2:-1]", "the step must be a number of at least 1"),
        ("web[a:5]", "both ends must be numbers, or both must be single letters"),
        ("web[ab:cd]", "both ends must be numbers, or both must be single letters"),
        ("web[1:2", "a bracket of the host range is not closed"),
        ("web]1[", "a bracket of the host range is not closed"),
        ("web[0:999999999]", "more than 100000 hosts"),
        ("web[1:1000][1:1000]", "more than 100000 hosts"),
        ("web" + "[1:9]" * 30, "more than 100000 hosts"),
    ],
)
def test_invalid_ranges(name: str, expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        expand(name)


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("web", "web", None),
        ("web:2222", "web", 2222),
        ("web[1:3]:22", "web[1:3]", 22),
        ("web[1:3]", "web[1:3]", None),
        ("[2001:db8::1]:22", "2001:db8::1", 22),
        ("2001:db8::1", "2001:db8::1", None),
        ("::1", "::1", None),
    ],
)
def test_split_port(name: str, host: str, port: int | None) -> None:
    assert split_port(name) == (host, port)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 9), st.booleans())
@settings(max_examples=50)
def test_a_range_of_numbers_equals_range(first: int, more: int, step: int, padded: bool) -> None:
    last = first + more
    width = len(str(last)) if padded else 0
    name = f"w[{str(first).zfill(width)}:{last}:{step}]"
    names = [f"w{str(n).zfill(width)}" for n in range(first, last + 1, step)]
    assert expand(name) == names

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scimconf.zulip.expression import tree


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Let threads take turns as often as possible, also in the middle of C code that allocates."""
    before, threshold = sys.getswitchinterval(), gc.get_threshold()

    def collected(phase: str, info: object) -> None:
        sum(range(100))

    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    gc.callbacks.append(collected)
    yield
    gc.callbacks.remove(collected)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(before)


def test_equal_expressions_have_equal_trees() -> None:
    assert tree("{'a': 1}") == tree('{ "a" : 1 }')
    assert tree("1") != tree("2")


def test_many_threads_can_parse_at_the_same_time(many_switches: None) -> None:
    """CPython 3.11 raises SystemError if they really do."""
    text = "{" + ", ".join(f"'{n}': [[{n}, {{'b': ({n},)}}]]" for n in range(60)) + "}"
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(tree, [text] * 60))) == 1

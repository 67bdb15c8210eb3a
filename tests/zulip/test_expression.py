from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scimconf.plan.diff import _edited
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


def edited(text: str) -> str:
    return _edited(f"SCIM_CONFIG = {text}\n", {"0": '"0": {}'}, has_import=False, keep_empty=True)


@pytest.mark.parametrize("parse", [tree, edited])
def test_many_threads_can_parse_at_the_same_time(
    many_switches: None, parse: Callable[[str], str]
) -> None:
    """CPython 3.11 raises SystemError if they really do."""
    text = "{" + ", ".join(f"'{n}': {{'b': [[{n}, {{'c': [{n}]}}]]}}" for n in range(60)) + "}"
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(parse, [text] * 60))) == 1

"""Too many cases for each test run: `make test` runs a sample, `make matrix` all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

ALL = os.environ.get("SCIMCONF_MATRIX") == "all"


def sample(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """Return the cases for `parametrize`. `make test` runs only the `chosen` ones."""
    all_cases = list(cases)
    assert set(map(repr, chosen)) <= set(map(repr, all_cases))
    names = {repr(each) for each in chosen}
    return [
        each if repr(each) in names else pytest.param(*_values(each), marks=pytest.mark.matrix)
        for each in all_cases
    ]


def _values(case: Any) -> tuple[Any, ...]:
    return case if isinstance(case, tuple) else (case,)

"""Inventories and patterns made up by hypothesis, always the same ones (`derandomize`).

A run takes a sample; with SCIMCONF_MATRIX=all it takes them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.oracle.agreement import check
from tests.oracle.client import Oracle
from tests.oracle.generated import Files, inventories, patterns
from tests.oracle.ours import Ours

pytestmark = pytest.mark.needs_ansible

MATRIX = os.environ.get("SCIMCONF_MATRIX") == "all"
INVENTORIES = 250 if MATRIX else 60
PATTERNS_EACH = 10

_count = {"inventories": 0, "patterns": 0}


@pytest.fixture(autouse=True, scope="module")
def counted() -> Iterator[None]:
    """Hold that as many were compared as the documentation says."""
    yield
    if _count["inventories"]:
        assert _count["inventories"] >= INVENTORIES * 0.9
        assert _count["patterns"] >= INVENTORIES * PATTERNS_EACH * 0.9


@given(inventories(), st.data())
@settings(
    max_examples=INVENTORIES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # to shrink takes minutes, and what fails is small already
    suppress_health_check=list(HealthCheck),
)
def test_generated(oracle: Oracle, files: Files, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        sources = files.write(Path(folder))
        known = Ours.read(sources, allow_exec=True).layout
        strategy = patterns(list(known.groups), list(known.tree.hosts) or ["a"])
        pairs = [data.draw(strategy) for _ in range(PATTERNS_EACH)]
        check(oracle, sources, pairs)
    _count["inventories"] += 1
    _count["patterns"] += len(pairs)

"""Read inventories as ansible-core does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import by_hand
from tests.oracle.agreement import check
from tests.oracle.client import Oracle

pytestmark = pytest.mark.needs_ansible


@pytest.mark.parametrize("name", by_hand.CASES)
def test_by_hand(name: str, oracle: Oracle, tmp_path: Path) -> None:
    check(oracle, by_hand.lay_out(by_hand.CASES[name], tmp_path))

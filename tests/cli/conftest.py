from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import Operator


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


@pytest.fixture
def one(lab_server: Callable[..., Server], operator: Operator) -> Callable[..., Server]:
    """Start one server and write an inventory that has it alone, with these variables."""

    def start(variables: dict[str, Any], **options: Any) -> Server:
        server = lab_server(**options)
        operator.write_inventory({server.name: variables})
        return server

    return start

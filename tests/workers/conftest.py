from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Server
from tests.lab.operator import Operator
from tests.workers.cluster import Cluster


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


@pytest.fixture(scope="session")
def shared(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for the tests that end no process of it."""
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder, environment=lab.environment()) as started:
        yield started


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Return a function that starts a cluster whose workers see the lab."""
    started: list[Cluster] = []

    def start(*zones: str, **options: Any) -> Cluster:
        found = Cluster(tmp_path / "cluster", zones or ("default",), lab.environment(), **options)
        started.append(found.__enter__())
        return found

    yield start
    for each in started:
        each.__exit__()


@pytest.fixture
def one(lab_server: Callable[..., Server], operator: Operator) -> Callable[..., Server]:
    """A function that starts a server and writes an inventory with only this server."""

    def start(variables: dict[str, Any], **options: Any) -> Server:
        server = lab_server(**options)
        operator.write_inventory({server.name: variables})
        return server

    return start

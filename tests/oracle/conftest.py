"""Share one Ansible process among the tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.client import Oracle

pytest.register_assert_rewrite("tests.oracle.agreement")


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    """The oracle process."""
    with Oracle(tmp_path_factory.mktemp("home")) as started:
        yield started

"""A small Zulip with its web server, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scimconf.agent import gate
from tests.agent.fake import Zulip, web_server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pause between two attempts of the gate."""
    monkeypatch.setattr(gate, "_PAUSE", 0.01)


@pytest.fixture
def zulip(tmp_path: Path) -> Iterator[Zulip]:
    """Yield Zulip 9.0 with a space in its path."""
    yield from _served(Zulip(tmp_path / "a server"))


@pytest.fixture
def old_zulip(tmp_path: Path) -> Iterator[Zulip]:
    """Yield Zulip 5.6, where SCIM clients are registered."""
    made = Zulip(tmp_path / "old", "5.6")
    made.behave(wants_clients=True)
    yield from _served(made)


def _served(made: Zulip) -> Iterator[Zulip]:
    with web_server(made) as (base, _):
        made.base = base
        yield made

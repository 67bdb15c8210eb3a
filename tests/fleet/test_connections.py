from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from scimconf.errors import Unreachable
from scimconf.fleet import connections
from scimconf.fleet.connections import Connections
from scimconf.model import Server
from tests.factories import server


class _Servers:
    """Open conversations, and record which are open."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.open: set[str] = set()
        self.refused: set[str] = set()

    @contextmanager
    def __call__(self, server: Server) -> Iterator[Any]:
        if server.name in self.refused:
            raise Unreachable("connect", "refused")
        self.opened.append(server.name)
        self.open.add(server.name)
        try:
            yield object()
        finally:
            self.open.discard(server.name)


A, B = server(name="a"), server(name="b")


def test_a_conversation_is_opened_once() -> None:
    servers = _Servers()
    with Connections(servers) as opened:
        assert opened.open(A) is opened.open(A)
        assert opened.is_open(A)
        assert not opened.is_open(B)
        assert servers.opened == ["a"]


def test_all_conversations_are_closed_at_the_end() -> None:
    servers = _Servers()
    with suppress(KeyError), Connections(servers) as opened:
        opened.open(A)
        opened.open(B)
        raise KeyError
    assert servers.open == set()


def test_a_closed_conversation_is_opened_again() -> None:
    servers = _Servers()
    with Connections(servers) as opened:
        opened.open(A)
        opened.close(A)
        opened.close(A)
        assert servers.open == set()
        opened.open(A)
    assert servers.opened == ["a", "a"]


def test_a_refused_conversation_can_be_opened_again() -> None:
    servers = _Servers()
    servers.refused = {"a"}
    with Connections(servers) as opened:
        with pytest.raises(Unreachable):
            opened.open(A)
        assert not opened.is_open(A)
        servers.refused.clear()
        opened.open(A)


def test_the_number_of_kept_conversations_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_KEPT", 1)
    servers = _Servers()
    with Connections(servers) as opened:
        for each in (A, B):
            opened.open(each)
            opened.keep(each)
        assert servers.open == {"a"}
        opened.keep(A)
        assert servers.open == {"a"}
        opened.close(A)
        opened.open(B)
        opened.keep(B)
        assert servers.open == {"b"}

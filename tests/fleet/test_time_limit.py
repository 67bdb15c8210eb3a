from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from scimconf.errors import HostError, Unreachable
from scimconf.fleet import time_limit
from scimconf.fleet.observe import Agent, Message
from scimconf.model import Server
from tests.factories import server

DONE = {"final": True}


class _Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


class _Slow:
    """An agent that takes its time, and is given up as a Conversation gives one up."""

    def __init__(self, clock: _Clock, *takes: float) -> None:
        self.clock = clock
        self.takes = list(takes)
        self.patience: list[float] = []

    def ask(self, request: Message, seconds: float | None = None) -> Iterable[Message]:
        assert seconds is not None
        self.patience.append(seconds)
        takes = self.takes.pop(0)
        self.clock.now += min(takes, seconds)
        if takes >= seconds:
            raise HostError("agent", "the server's agent did not finish in time")
        yield DONE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(time_limit, "time", clock)
    return clock


def _open(clock: _Clock, agent: Agent, takes: float = 1.0) -> time_limit.Opener:
    @contextmanager
    def opened(server: Server) -> Iterator[Agent]:
        clock.now += takes
        yield agent

    return opened


def test_what_is_left_is_what_an_answer_may_take(clock: _Clock) -> None:
    slow = _Slow(clock, 2, 3, 100)
    with time_limit.limited(_open(clock, slow), 10)(server()) as agent:
        assert list(agent.ask({})) == [DONE]
        clock.now += 1000  # a question, or other servers, in between
        assert list(agent.ask({}, 5.0)) == [DONE]
        with pytest.raises(HostError) as over:
            list(agent.ask({}))
    assert slow.patience == [9, 5, 4]
    assert str(over.value) == "hung up after 10 s (--time-limit)"
    assert "scimconf plan" in over.value.hint


def test_a_look_may_take_longer_than_without_a_limit(clock: _Clock) -> None:
    slow = _Slow(clock, 100)
    with time_limit.limited(_open(clock, slow), 300)(server()) as agent:
        assert list(agent.ask({})) == [DONE]
    assert slow.patience == [299]


def test_the_agents_own_limit_is_another_one(clock: _Clock) -> None:
    opened = time_limit.limited(_open(clock, _Slow(clock, 100)), 10)
    with opened(server()) as agent, pytest.raises(HostError, match="did not finish in time"):
        list(agent.ask({}, 3.0))


def test_a_broken_link_is_told_as_one(clock: _Clock) -> None:
    class _Broken:
        def ask(self, request: Message, seconds: float | None = None) -> Iterable[Message]:
            raise Unreachable("agent", "the connection broke")

    opened = time_limit.limited(_open(clock, _Broken()), 10)
    with opened(server()) as agent, pytest.raises(Unreachable, match="the connection broke"):
        list(agent.ask({}))

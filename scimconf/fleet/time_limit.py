"""A time limit for the conversation with one server; at its end we hang up.

A server finishes what it has begun, or rolls it back, without us (docs/applying.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from scimconf.errors import HostError
from scimconf.fleet.observe import Agent, Message
from scimconf.model import Server

Opener = Callable[[Server], AbstractContextManager[Agent]]


def limited(open_agent: Opener, seconds: float) -> Opener:
    """Return what opens conversations of at most `seconds`, not counting those between requests.

    Opening counts, and has limits of its own for each of its steps.
    """

    @contextmanager
    def opened(server: Server) -> Iterator[Agent]:
        begun = time.monotonic()
        with open_agent(server) as agent:
            yield _Limited(agent, seconds, time.monotonic() - begun)

    return opened


class _Limited:
    def __init__(self, agent: Agent, limit: float, spent: float) -> None:
        self._agent = agent
        self.reached = getattr(agent, "reached", ())
        self._limit = limit
        self._spent = spent

    def ask(self, request: Message, seconds: float | None = None) -> Iterable[Message]:
        """See Agent. Raises HostError where the limit is over.

        A look has all that is left, also where that is more than it has without a limit.
        """
        begun = time.monotonic()
        left = self._limit - self._spent
        try:
            yield from self._agent.ask(request, left if seconds is None else min(seconds, left))
        except HostError:
            if time.monotonic() - begun < left:
                raise
            raise self._over() from None
        finally:
            self._spent += time.monotonic() - begun

    def _over(self) -> HostError:
        return HostError(
            "time limit",
            f"hung up after {self._limit:g} s (--time-limit)",
            "the server finishes what it had begun, or rolls it back, by itself; scimconf plan "
            "shows how it stands",
        )

"""The open conversations of a run, by server. `Looked` has the observed facts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from scimconf.fleet.observe import Agent
from scimconf.model import Server

Opener = Callable[[Server], AbstractContextManager[Agent]]
"""Connects to a server and starts the agent on it; raises ScimconfError."""

MOST_KEPT = 200
"""How many conversations stay open between two steps of a run. Each has three file descriptors, and
a process may usually have 1,024. scimconf connects to the other servers again."""


class Connections(AbstractContextManager["Connections"]):
    """The open conversations, at most one per server. All of them close at the end of `with`.

    Several threads may use it at the same time, each for a different server.
    """

    def __init__(self, open_agent: Opener) -> None:
        self._open_agent = open_agent
        self._open: dict[str, tuple[Agent, ExitStack]] = {}
        self._kept: set[str] = set()
        self._lock = threading.Lock()

    def open(self, server: Server) -> Agent:
        """Return the conversation with a server; connect if needed. Raises ScimconfError."""
        if found := self._open.get(server.name):
            return found[0]
        with ExitStack() as stack:
            agent = stack.enter_context(self._open_agent(server))
            self._open[server.name] = agent, stack.pop_all()
        return agent

    def is_open(self, server: Server) -> bool:
        """Return True if there is an open conversation with the server."""
        return server.name in self._open

    def keep(self, server: Server) -> None:
        """Keep the conversation open for a later step. Close it if MOST_KEPT are kept already."""
        with self._lock:
            has_room = server.name in self._kept or len(self._kept) < MOST_KEPT
            if has_room:
                self._kept.add(server.name)
        if not has_room:
            self.close(server)

    def close(self, server: Server) -> None:
        """Close the conversation with a server, if there is one."""
        with self._lock:
            self._kept.discard(server.name)
        if found := self._open.pop(server.name, None):
            found[1].close()

    def __exit__(self, *error: object) -> None:
        # After a second Ctrl-C, threads may still open and close conversations.
        for name in list(self._open):
            if found := self._open.pop(name, None):
                found[1].close()

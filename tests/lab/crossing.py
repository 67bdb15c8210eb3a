"""A restart command that waits for a sign: time to do something to whoever waits for it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

from tests.lab.server import Server

_SECONDS = 60.0


class Crossing:
    """Stands before the restart of one server; `restart` is for its inventory."""

    def __init__(self, server: Server) -> None:
        self._begun = server.logs / "restart-begun"
        self._sign = server.logs / "restart-sign"
        folder = server.layout.inside("log")
        begun, sign = (shlex.quote(f"{folder}/{each.name}") for each in (self._begun, self._sign))
        program = shlex.quote(f"{server.paths.deployment}/scripts/restart-server")
        self.restart = [
            "/bin/sh",
            "-c",
            f"> {begun}; until [ -s {sign} ]; do sleep 0.05; done; "
            f"read answer < {sign}; [ $answer = fail ] && exit 1; exec {program}",
        ]

    def wait(self) -> None:
        """Wait until somebody stands at it."""
        until(self._begun.exists, "nobody restarts")

    def go(self, answer: str = "go") -> None:
        """Let everybody pass from now on; `fail`: let each restart fail."""
        self._sign.write_text(f"{answer}\n")


def until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait until it holds; raises TimeoutError if it does not within a minute."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)

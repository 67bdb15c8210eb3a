"""A restart command that waits for a signal, so that a test can act during the restart."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

from tests.lab.server import Server

_SECONDS = 60.0


class Crossing:
    """Hold the restart of one server. `restart` is the command for its inventory."""

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
        """Wait until a restart is being held."""
        until(self._begun.exists, "nobody restarts")

    def go(self, answer: str = "go") -> None:
        """Release this restart and all later ones. With `fail`, each restart fails."""
        self._sign.write_text(f"{answer}\n")


def until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait until the condition holds. Raise TimeoutError after one minute."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)

"""The interface for whatever shows the progress of a run."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Told of the progress of a run; called from several threads."""

    def step(self, server: str, name: str, doing: bool) -> None:
        """A step begins (`doing`) or has ended."""
        ...

    def done(self, server: str) -> None:
        """Nothing more happens on this server for now."""
        ...

"""The interface for whatever shows the progress of a run."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Shows the progress of a run. Several threads call its methods."""

    def step(self, server: str, name: str, doing: bool) -> None:
        """Show that a step begins (`doing`) or has ended."""
        ...

    def done(self, server: str) -> None:
        """Show that no step of this server is in progress."""
        ...

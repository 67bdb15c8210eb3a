"""The progress display that shows nothing. Not in `progress`, because that imports rich."""

from __future__ import annotations

from contextlib import AbstractContextManager


class NoProgress(AbstractContextManager["NoProgress"]):
    """Shows nothing."""

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, server: str, name: str, doing: bool) -> None:
        """Do nothing."""

    def done(self, server: str) -> None:
        """Do nothing."""

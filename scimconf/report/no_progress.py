"""Where nobody looks on. Apart from `progress`, which needs rich."""

from __future__ import annotations

from contextlib import AbstractContextManager


class NoProgress(AbstractContextManager["NoProgress"]):
    """Silence."""

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, server: str, name: str, doing: bool) -> None:
        """Say nothing."""

    def done(self, server: str) -> None:
        """Say nothing."""

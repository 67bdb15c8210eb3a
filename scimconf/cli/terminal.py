"""The rich console for stdout and stderr."""

from __future__ import annotations

import io
import os
from typing import Literal

from rich.console import Console


class _Console(Console):
    """A console that does not exit on a closed pipe, as rich's does: a change may be running."""

    def on_broken_pipe(self) -> None:
        """Stop printing, and let the run continue."""
        self.quiet = True


def terminal(*, stderr: bool = False) -> Console:
    """Return the console of stdout or stderr. With NO_COLOR it prints plain text, without bold."""
    return _Console(stderr=stderr, highlight=False, color_system=_colours())


def page(text: io.StringIO) -> Console:
    """Return a console that writes into `text` in the format of stdout."""
    real = terminal()
    return _Console(
        file=text,
        force_terminal=real.is_terminal,
        width=real.width,
        highlight=False,
        color_system=_colours(),
    )


def _colours() -> Literal["auto"] | None:
    return None if os.environ.get("NO_COLOR") else "auto"

"""The console of this terminal, if it is one."""

from __future__ import annotations

import io
import os
from typing import Literal

from rich.console import Console


class _Console(Console):
    """rich's, whose way to take a reader that left is to exit: in the middle of a change."""

    def on_broken_pipe(self) -> None:
        """Say no more, and go on."""
        self.quiet = True


def terminal(*, stderr: bool = False) -> Console:
    """Give the console of stdout or stderr. NO_COLOR also means: no bold, nothing but text."""
    return _Console(stderr=stderr, highlight=False, color_system=_colours())


def page(text: io.StringIO) -> Console:
    """Give a console that writes as that of stdout would, into `text`."""
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

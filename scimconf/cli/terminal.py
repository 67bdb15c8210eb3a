"""The rich console for stdout and stderr."""

from __future__ import annotations

import io
import os
from typing import Literal

from rich.console import Console


class _Console(Console):
    """rich's console exits the process on a closed pipe. This one must not: a change may run."""

    def on_broken_pipe(self) -> None:
        """Stop printing, and go on."""
        self.quiet = True


def terminal(*, stderr: bool = False) -> Console:
    """Return the console of stdout or stderr. With NO_COLOR it prints plain text, without bold."""
    return _Console(stderr=stderr, highlight=False, color_system=_colours())


def page(text: io.StringIO) -> Console:
    """Return a console that writes into `text` what stdout's console would print."""
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

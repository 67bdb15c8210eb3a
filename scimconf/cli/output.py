"""How a run is shown: progress on stderr while it goes on, results on stdout at the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import out
from scimconf.errors import ExitCode
from scimconf.model import Outcome
from scimconf.report.document import document
from scimconf.report.progress import LineProgress, LiveProgress, NoProgress
from scimconf.report.text import show

if TYPE_CHECKING:
    from scimconf.rollout import Rollout


class _Console(Console):
    """rich's, whose way to take a reader that left is to exit: in the middle of a change."""

    def on_broken_pipe(self) -> None:
        """Say no more, and go on."""
        self.quiet = True


def terminal(*, stderr: bool = False) -> Console:
    """Give the console of stdout or stderr. NO_COLOR also means: no bold, nothing but text."""
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return _Console(stderr=stderr, highlight=False, color_system=colours)


def progress(
    output: OutputOptions, *, steps: bool
) -> AbstractContextManager[LiveProgress | LineProgress | NoProgress]:
    """Give the progress of a run: live on a terminal; else lines, if `steps` are worth a log."""
    console = terminal(stderr=True)
    if output.quiet:
        return NoProgress()
    if console.is_interactive and sys.stderr.isatty():  # FORCE_COLOR makes no terminal of a pipe
        return LiveProgress(console)
    return LineProgress(console) if steps or output.verbose else NoProgress()


def results(
    verb: str,
    run: Rollout,
    outcomes: Sequence[Outcome],
    output: OutputOptions,
    *,
    diff: bool = False,
) -> ExitCode:
    """Print what came of a run and give its exit code."""
    code = run.exit_code(outcomes)
    if output.format == "json":
        out(json.dumps(document(verb, outcomes, code), indent=2))
    else:
        console = terminal()
        with console.capture() as said:
            show(console, verb, outcomes, diff=diff, steps=output.verbose > 0)
        out(said.get(), end="")
    return code

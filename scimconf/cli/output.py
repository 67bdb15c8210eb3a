"""How a run is shown: progress on stderr while it goes on, results on stdout at the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import err, out
from scimconf.errors import ExitCode, UsageError, worst
from scimconf.model import Outcome, Status
from scimconf.report.document import document
from scimconf.report.progress import LineProgress, LiveProgress, NoProgress
from scimconf.report.text import show
from scimconf.tokens import durable

if TYPE_CHECKING:
    from scimconf.rollout import Rollout


_FAILED = (
    Status.UNREACHABLE,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.ROLL_BACK_FAILED,
    Status.SKIPPED,
)


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
    """Print what came of a run and give its exit code; write the files that are wanted of it."""
    code = run.exit_code(outcomes)
    if output.failed_hosts:
        code = worst([code, _note_failed(output.failed_hosts, outcomes)])
    if output.report:
        code = worst([code, _report(output.report, verb, outcomes, code)])
    if output.format == "json":
        out(json.dumps(document(verb, outcomes, code), indent=2))
    else:
        console = terminal()
        with console.capture() as said:
            show(console, verb, outcomes, diff=diff, steps=output.verbose > 0)
        out(said.get(), end="")
    return code


def _report(file: Path, verb: str, outcomes: Sequence[Outcome], code: ExitCode) -> ExitCode:
    """Write the page for a browser."""
    from scimconf.report.html import page

    try:
        durable.replace(file, page(verb, outcomes, code, datetime.now(timezone.utc)))
    except UsageError as error:
        err(f"error: {error.message}")
        return ExitCode.FAILED
    return ExitCode.OK


def _note_failed(file: Path, outcomes: Sequence[Outcome]) -> ExitCode:
    """Write the servers that a next run has to deal with, one a line; no file where there are none.

    An empty one would be no limit at all to a `--limit @FILE`.
    """
    names = [outcome.server for outcome in outcomes if outcome.status in _FAILED]
    try:
        if names:
            durable.replace(file, "".join(f"{name}\n" for name in names))
        else:
            file.unlink(missing_ok=True)
    except UsageError as error:
        problem = error.message
    except OSError as error:
        problem = f"cannot remove {file}: {error.strerror}"
    else:
        return ExitCode.OK
    err(f"error: {problem}")
    return ExitCode.FAILED

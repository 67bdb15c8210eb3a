"""How a run is shown: progress on stderr while it goes on, results on stdout at the end."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from scimconf.cli import report_files
from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import out
from scimconf.errors import ExitCode, worst
from scimconf.model import Outcome
from scimconf.report import github
from scimconf.report.document import document
from scimconf.report.junit import junit
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
    return _Console(stderr=stderr, highlight=False, color_system=_colours())


def _colours() -> Literal["auto"] | None:
    return None if os.environ.get("NO_COLOR") else "auto"


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
    now = datetime.now(timezone.utc)
    code = run.exit_code(outcomes)
    code = worst([code, report_files.write(verb, outcomes, code, now, output, diff=diff)])
    text = partial(_text, verb, outcomes, diff=diff, steps=output.verbose > 0)
    if output.format == "json":
        out(json.dumps(document(verb, outcomes, code), indent=2))
    elif output.format == "junit":
        out(junit(verb, outcomes, now), end="")
    elif output.format == "github":
        out(github.unheard(text(), secrets.token_hex(16)))
        root = os.environ.get("GITHUB_WORKSPACE")
        for line in github.annotated(verb, outcomes, run.positions, Path(root) if root else None):
            out(line)
    else:
        out(text(), end="")
    return code


def _text(verb: str, outcomes: Sequence[Outcome], *, diff: bool, steps: bool) -> str:
    real, page = terminal(), io.StringIO()
    console = _Console(
        file=page,
        force_terminal=real.is_terminal,
        width=real.width,
        highlight=False,
        color_system=_colours(),
    )
    show(console, verb, outcomes, diff=diff, steps=steps)
    return page.getvalue()

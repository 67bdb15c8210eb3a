"""How a run is shown: progress on stderr while it goes on, results on stdout at the end.

What prints is imported where it prints: `fleet.opener` has it loaded by then.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import out
from scimconf.errors import ExitCode, worst
from scimconf.model import Outcome
from scimconf.report.no_progress import NoProgress

if TYPE_CHECKING:
    from scimconf.report.progress import LineProgress, LiveProgress
    from scimconf.rollout import Rollout


def progress(
    output: OutputOptions, *, steps: bool
) -> AbstractContextManager[LiveProgress | LineProgress | NoProgress]:
    """Give the progress of a run: live on a terminal; else lines, if `steps` are worth a log."""
    lines = steps or output.verbose
    watched = getattr(sys.stderr, "isatty", bool)()  # None where it was closed before we began
    if output.quiet or not (lines or watched):
        return NoProgress()
    from scimconf.cli.terminal import terminal
    from scimconf.report.progress import LineProgress, LiveProgress

    console = terminal(stderr=True)
    if console.is_interactive and watched:  # FORCE_COLOR makes no terminal of a pipe
        return LiveProgress(console)
    return LineProgress(console) if lines else NoProgress()


def results(
    verb: str,
    run: Rollout,
    outcomes: Sequence[Outcome],
    output: OutputOptions,
    *,
    diff: bool = False,
) -> ExitCode:
    """Print what came of a run and give its exit code; write the files that are wanted of it."""
    from scimconf.cli import report_files

    outcomes = [replace(each, way=run.ways.get(each.server, ())) for each in outcomes]
    now = datetime.now(timezone.utc)
    code = run.exit_code(outcomes)
    code = worst([code, report_files.write(verb, outcomes, code, now, output, diff=diff)])
    text = partial(_text, verb, outcomes, diff=diff, steps=output.verbose > 0)
    if output.format == "json":
        from scimconf.report.document import document

        out(json.dumps(document(verb, outcomes, code), indent=2))
    elif output.format == "junit":
        from scimconf.report.junit import junit

        out(junit(verb, outcomes, now), end="")
    elif output.format == "github":
        from scimconf.report import github

        out(github.stop_commands(text(), secrets.token_hex(16)))
        root = os.environ.get("GITHUB_WORKSPACE")
        for line in github.annotated(verb, outcomes, run.positions, Path(root) if root else None):
            out(line)
    else:
        out(text(), end="")
    return code


def _text(verb: str, outcomes: Sequence[Outcome], *, diff: bool, steps: bool) -> str:
    from scimconf.cli.terminal import page
    from scimconf.report.text import show

    text = io.StringIO()
    show(page(text), verb, outcomes, diff=diff, steps=steps)
    return text.getvalue()

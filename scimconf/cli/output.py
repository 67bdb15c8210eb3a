"""Print the results of a run on stdout, in the requested format, and write its report files."""

from __future__ import annotations

import io
import os
import secrets
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path

from scimconf.cli import report_files
from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import err, out
from scimconf.cli.terminal import page
from scimconf.errors import ExitCode, worst
from scimconf.report import github
from scimconf.report.document import pieces
from scimconf.report.junit import junit
from scimconf.report.text import show
from scimconf.run.result import Result
from scimconf.run.shard import Shard


def results(
    result: Result, output: OutputOptions, *, diff: bool = False, shard: Shard | None = None
) -> ExitCode:
    """Print the results of a run and write its report files. Return the exit code.

    `shard`: the share of the fleet that the run worked on.
    """
    if shard and not result.outcomes:
        note = f"shard {shard} has none of the selected servers"
        result = replace(result, notes=(*result.notes, note))
    # The run has printed its scope before it began.
    seen = replace(result, notes=tuple(n for n in result.notes if n != result.scope.note))
    if result.scope.note:
        result = replace(seen, notes=(*seen.notes, result.scope.note))
    verb, outcomes, code = result.verb, result.outcomes, result.exit_code
    now = datetime.now(timezone.utc)
    code = worst([code, report_files.write(result, now, output, diff=diff)])
    if output.format == "json":
        part = asdict(shard) if shard else None
        for piece in pieces(verb, outcomes, code, result.notes, part, result.scope):
            out(piece, end="")
        out("")
    elif output.format == "junit":
        out(junit(verb, outcomes, now), end="")
    elif output.format == "github":
        out(github.stop_commands(_text(seen, output, diff=diff), secrets.token_hex(16)))
        root = os.environ.get("GITHUB_WORKSPACE")
        for line in github.annotated(verb, outcomes, Path(root) if root else None):
            out(line)
    else:
        out(_text(seen, output, diff=diff), end="")
    for line in () if output.quiet else result.next:
        err(line)
    return code


def _text(result: Result, output: OutputOptions, *, diff: bool) -> str:
    text = io.StringIO()
    outcomes = result.outcomes
    if output.quiet:
        outcomes = tuple(replace(each, warnings=(), silenced=()) for each in outcomes)
    steps = output.verbose > 0
    show(page(text), result.verb, outcomes, diff=diff, steps=steps, notes=result.notes)
    return text.getvalue()

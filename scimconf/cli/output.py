"""How a run is shown: progress on stderr while it goes on, results on stdout at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from scimconf.cli.options import OutputOptions
from scimconf.errors import ExitCode
from scimconf.model import Outcome
from scimconf.report.progress import LineProgress, LiveProgress

if TYPE_CHECKING:
    from scimconf.rollout import Rollout


def progress(
    output: OutputOptions, *, steps: bool
) -> AbstractContextManager[LiveProgress | LineProgress]:
    """Give the progress of a run: live on a terminal; else lines, if `steps` are worth a log."""
    from rich.console import Console

    console = Console(stderr=True)
    if output.quiet or not (console.is_terminal or steps or output.verbose):
        return LineProgress(Console(quiet=True))
    return LiveProgress(console) if console.is_terminal else LineProgress(console)


def results(
    verb: str,
    run: Rollout,
    outcomes: Sequence[Outcome],
    output: OutputOptions,
    *,
    diff: bool = False,
) -> ExitCode:
    """Print what came of a run and give its exit code."""
    from rich.console import Console

    from scimconf.report.document import document
    from scimconf.report.text import show

    code = run.exit_code(outcomes)
    if output.format == "json":
        click.echo(json.dumps(document(verb, outcomes, code), indent=2))
    else:
        show(Console(highlight=False), verb, outcomes, diff=diff)
    return code

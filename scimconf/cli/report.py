"""`scimconf report merge`: one report of the reports of all shards."""

from __future__ import annotations

from pathlib import Path

import click

from scimconf import files
from scimconf.cli import options
from scimconf.cli.help import Argument
from scimconf.cli.options import OutputOptions
from scimconf.cli.output import results
from scimconf.errors import UsageError
from scimconf.report import reading
from scimconf.run.result import Result


@options.group("report")
def command() -> None:
    """Merge the reports of several runs.

    Contacts no server.
    """


@command.command("merge")
@click.argument(
    "reports",
    cls=Argument,
    nargs=-1,
    required=True,
    type=options.FILE,
    metavar="FILE...",
    text="Read these JSON reports (--format json), one of each shard.",
)
@options.diff
@options.output
def merge(reports: tuple[Path, ...], diff: bool, output: OutputOptions) -> int:
    """Merge the JSON reports of all shards into one report.

    Exits with the worst exit code of the shards. A shard without a report is an error.
    """
    for file in output.files:
        files.check_output(file)
    named = dict.fromkeys(map(str, reports))
    merged = reading.merge({name: reading.parse(_text(name), name) for name in named})
    result = Result(
        merged.verb,
        merged.outcomes,
        notes=merged.notes,
        codes=(merged.exit_code,),
        scope=merged.scope,
    )
    return results(result, output, diff=diff)


def _text(name: str) -> str:
    try:
        return files.read(name, reading.LARGEST).decode(errors="replace")
    except OSError as error:
        hint = "if a shard wrote no report, it failed: look at its log, and run it again"
        raise UsageError(f"cannot read {name}: {error.strerror}", hint) from None

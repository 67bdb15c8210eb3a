"""`scimconf plan`: what apply would do."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.cli.streams import err
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.plan import PlanOptions, plan


@click.command("plan")
@options.pattern
@options.source
@options.option(
    "--diff", variable="DIFF", is_flag=True, help="Show the change of each block, masked."
)
@options.option(
    "--resolve",
    variable="RESOLVE",
    is_flag=True,
    help="Fetch tokens that are kept elsewhere, too: runs what the inventory names.",
)
@options.option(
    "--read-only",
    variable="READ_ONLY",
    is_flag=True,
    help="Log in as somebody who may only read, and could not apply: docs/ci/README.md.",
)
@options.option(
    "--out",
    variable="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the plan in this file (0600, no token in it), for apply --plan.",
)
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    diff: bool,
    resolve: bool,
    read_only: bool,
    out: Path | None,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Show what apply would do on the hosts of PATTERN (all if there is none).

    Needs no token and no vault password: tokens are compared by fingerprint. Exits with 2 if
    changes are pending or a realm is unmanaged.
    """
    start_log(output)
    result = plan(
        PlanOptions(source, pattern, connection, resolve, read_only, out, writes=output.files),
        Terminal(vault, output),
    )
    if out and not result.interrupted and out.is_file() and not output.quiet:
        err(f"wrote {out}; to carry it out: scimconf apply --plan {shlex.quote(str(out))}")
    return results(result, output, diff=diff)

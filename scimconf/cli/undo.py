"""`scimconf undo`: put back what the last transaction replaced."""

from __future__ import annotations

import click

from scimconf.cli import options, put_back
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions


@click.command("undo")
@options.pattern
@options.source
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the first change.")
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    yes: bool,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Put back what the last transaction on the hosts of PATTERN replaced.

    A transaction like any other: it restarts, proves on the server that the old tokens are let
    in, or puts everything back. Refused, with what has changed, where something else has touched
    the files since. Needs no token: the server's journal holds all of it. The inventory and the
    token file stay as they are: the next apply makes the change again.
    """
    return put_back.run("undo", pattern, source, connection, vault, output, yes=yes)

"""`scimconf undo`: put back what the last transaction replaced."""

from __future__ import annotations

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.undo import put_back


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
    person = Terminal(vault, output)
    if not yes:
        person.must_answer("undo")
    start_log(output)
    result = put_back(*("undo", source, pattern, connection, person), yes=yes, writes=output.files)
    return results(result, output, diff=True)

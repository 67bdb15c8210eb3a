"""`scimconf recover`: finish the way back that an interrupted run left."""

from __future__ import annotations

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.undo import put_back


@click.command("recover")
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
    """Put back what an interrupted run left on the hosts of PATTERN, if one did.

    That is where the program on the server died itself (power, out of memory): a lost connection
    or a dead controller leaves nothing behind. apply does the same before anything else. Needs no
    token.
    """
    person = Terminal(vault, output)
    if not yes:
        person.must_answer("recover")
    start_log(output)
    result = put_back(
        *("recover", source, pattern, connection, person), yes=yes, writes=output.files
    )
    return results(result, output, diff=True)

"""`scimconf recover`: finish the way back that an interrupted run left."""

from __future__ import annotations

import click

from scimconf.cli import options, put_back
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions


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
    return put_back.run("recover", pattern, source, connection, vault, output, yes=yes)

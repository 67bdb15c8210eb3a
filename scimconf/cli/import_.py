"""`scimconf import`: take servers as they are into an inventory and the token file."""

from __future__ import annotations

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.import_ import import_servers
from scimconf.run.options import ConnectionOptions, SourceOptions


@click.command("import")
@options.pattern
@options.source
@options.realm
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Import the existing SCIM configuration of servers.

    Changes nothing on them. Of hosts without scim_realms, the realms are written into host_vars
    beside the inventory, and their tokens, encrypted, into the token file. Of hosts with
    scim_realms, only the tokens that the token file does not have. A plan then shows what is left
    to do, and gives the exit code.
    """
    start_log(output)
    person = Terminal(vault, output)
    result = import_servers(source, pattern, realms, connection, person, output.files)
    return results(result, output)

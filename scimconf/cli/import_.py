"""`scimconf import`: write the present state of servers into an inventory and the token file."""

from __future__ import annotations

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.import_ import import_servers
from scimconf.run.options import ConnectionOptions, SourceOptions


@options.verb("import")
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

    Changes nothing on the servers. For a host without scim_realms, writes its realms to host_vars
    beside the inventory and its tokens, encrypted, to the token file. For a host with scim_realms,
    imports only the tokens that the token file lacks.

    Then shows what apply would change, and exits as plan does.
    """
    start_log(output)
    person = Terminal(vault, output, changes=True)
    result = import_servers(source, pattern, realms, connection, person, output.files)
    return results(result, output)

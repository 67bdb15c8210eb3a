"""`scimconf verify`: can the identity provider get in?"""

from __future__ import annotations

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.verify import verify


@click.command("verify")
@options.pattern
@options.source
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Ask the public URL of each realm what its identity provider would ask.

    Looks at each server first: a token is sent only to a host that the server's own settings
    name. Changes nothing.
    """
    start_log(output)
    person = Terminal(vault, output)
    return results(verify(source, pattern, connection, person, output.files), output)

"""`scimconf status`: show whether the identity providers get in."""

from __future__ import annotations

from datetime import timedelta

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.status import status


@options.verb("status")
@options.pattern
@options.sharded_source
@options.realm
@options.silent_for
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    silent_for: timedelta | None,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Show whether the identity providers get in.

    Changes nothing. Reads each server's log of requests: the last accepted and the last refused
    request of each realm's identity provider, and how many there were. Exits with 2 if one is
    failing. Needs no token.
    """
    start_log(output)
    person = Terminal(vault, output)
    result = status(source, pattern, connection, person, silent_for, output.files, realms)
    return results(result, output, shard=source.shard)

"""`scimconf verify`: check the public SCIM URLs."""

from __future__ import annotations

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.verify import verify


@options.verb("verify")
@options.pattern
@options.sharded_source
@options.realm
@options.wait
@options.spread_connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    minutes: int | None,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Check the public SCIM URLs as the identity provider would.

    Changes nothing. Reads each server's settings first: a token is sent only to a host name that
    these settings contain. Needs the vault password.
    """
    start_log(output)
    person = Terminal(vault, output)
    result = verify(source, pattern, connection, person, output.files, realms, minutes)
    return results(result, output, shard=source.shard)

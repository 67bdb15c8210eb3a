"""`scimconf undo`: roll back the last transaction."""

from __future__ import annotations

from scimconf.cli import options, put_back
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions


@options.verb("undo")
@options.pattern
@options.source
@options.yes
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
    """Roll back the last change of each server.

    The server restores the files from its journal, restarts Zulip and checks that the old tokens
    work. If they do not, it keeps the present state. A server whose files were changed since is
    refused. Needs no token.

    The inventory and the token file stay as they are: the next apply makes the change again.
    """
    return put_back.run("undo", pattern, source, connection, vault, output, yes=yes)

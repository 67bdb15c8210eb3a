"""`scimconf recover`: roll back changes that were interrupted."""

from __future__ import annotations

from scimconf.cli import options, put_back
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions


@options.verb("recover")
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
    """Roll back changes that were interrupted.

    A change is left half done only if the agent on the server was killed (power failure, out of
    memory). After a lost connection the server finishes by itself. Needs no token.

    apply does the same before its own change.
    """
    return put_back.run("recover", pattern, source, connection, vault, output, yes=yes)

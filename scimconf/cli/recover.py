"""`scimconf recover`: roll back changes that were interrupted."""

from __future__ import annotations

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.undo import undo_or_recover


@options.verb("recover")
@options.pattern
@options.source
@options.yes
@options.spread_connection
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
    memory). After a lost connection, the server finishes by itself. Needs no token.

    You can also run apply: it rolls back interrupted changes first.
    """
    person = Terminal(vault, output, changes=True)
    if not yes:
        person.must_answer("recover")
    start_log(output)
    result = undo_or_recover(
        *("recover", source, pattern, connection, person), yes=yes, writes=output.files
    )
    return results(result, output, diff=True)

"""`scimconf undo`: roll back the last transaction."""

from __future__ import annotations

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.undo import undo_or_recover


@options.verb("undo")
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
    """Roll back the last change of each server.

    The server restores the files from its journal, restarts Zulip and checks that the old tokens
    work. If they do not, it keeps the present state. Refuses a server whose files have changed
    after its last change. Needs no token.

    The inventory and the token file stay as they are: the next apply makes the change again.
    """
    person = Terminal(vault, output, changes=True)
    if not yes:
        person.must_answer("undo")
    start_log(output)
    result = undo_or_recover(
        *("undo", source, pattern, connection, person), yes=yes, writes=output.files
    )
    return results(result, output, diff=True)

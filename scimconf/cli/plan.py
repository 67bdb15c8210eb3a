"""`scimconf plan`: show what apply would change."""

from __future__ import annotations

import shlex
from pathlib import Path

from scimconf.cli import options
from scimconf.cli.help import OUTPUT
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.cli.streams import err
from scimconf.plan.commands import as_typed
from scimconf.run import hint_words
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.plan import PlanOptions, plan


@options.verb("plan")
@options.pattern
@options.sharded_source
@options.realm
@options.diff
@options.option(
    "--resolve",
    is_flag=True,
    help="Fetch tokens from external stores. This runs the commands that the inventory names.",
)
@options.option(
    "--read-only",
    is_flag=True,
    help="Accept a login user who can read the configuration but cannot change it.",
)
@options.option(
    "--out",
    section=OUTPUT,
    type=options.NEW_FILE,
    help="Save the plan to FILE, without tokens, for apply --plan.",
)
@options.spread_connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    diff: bool,
    resolve: bool,
    read_only: bool,
    out: Path | None,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Show what apply would change.

    Changes nothing. Needs no token: tokens are compared by fingerprint. Needs the vault password
    only for encrypted variables and files of the inventory. Exits with 2 if changes are pending or
    a realm is unmanaged.
    """
    start_log(output)
    person = Terminal(vault, output)
    result = plan(
        PlanOptions(
            *(source, pattern, connection, resolve, read_only, out),
            writes=output.files,
            realms=realms,
        ),
        person,
    )
    if out and not result.interrupted and out.is_file() and not output.quiet:
        words = hint_words.words(source, person.password_options, connection)
        verb = f"apply --plan {shlex.quote(str(out))}"
        carry_out = as_typed(verb, pattern, source.limit, realms, words)
        err(f"wrote {out}; to carry it out: {carry_out}")
    return results(result, output, diff=diff, shard=source.shard)

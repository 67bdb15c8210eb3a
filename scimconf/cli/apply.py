"""`scimconf apply`: make the servers as the inventory says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from scimconf.cli import options
from scimconf.cli import plan as plan_verb
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions
from scimconf.cli.put_back import AT_ONCE
from scimconf.errors import UsageError
from scimconf.model import Status

if TYPE_CHECKING:
    from scimconf.survey import Surveyed


_GOOD_ANSWERS = 3
"""In a row, from the public side after a restart: workers may change one by one."""


@click.command("apply")
@options.pattern
@options.source
@options.option("--check", variable="CHECK", is_flag=True, help="Change nothing: the same as plan.")
@options.option("--diff", variable="DIFF", is_flag=True, help="Show the change, masked.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the first change.")
@options.option(
    "--create-tokens",
    variable="CREATE_TOKENS",
    is_flag=True,
    help="Make new tokens even without a terminal. Only where the token file is kept.",
)
@options.option(
    "--lock-timeout",
    variable="LOCK_TIMEOUT",
    type=click.IntRange(0, 86400),
    default=0,
    show_default=True,
    help="Seconds to wait for another run on a server; 0: refuse at once.",
)
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    check: bool,
    diff: bool,
    yes: bool,
    create_tokens: bool,
    lock_timeout: int,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Make the hosts of PATTERN (all if there is none) as the inventory says.

    Shows the plan and asks; then changes each server in one transaction, which proves on the
    server that SCIM answers, or puts everything back. At the end it asks the public URLs as the
    identity provider would.
    """
    from scimconf.cli import fleet, question
    from scimconf.cli.output import progress, results
    from scimconf.rollout import Rollout
    from scimconf.survey import planned_aloud

    if check:
        return plan_verb.run(pattern, source, connection, vault, output, diff=diff, resolve=False)
    if not yes:
        question.may_ask("apply")
    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet)
    servers = fleet.select(inventory, pattern, source.limit)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    keyring.fetch(servers)
    desired = [keyring.desired(server) for server in servers]
    open_agent = fleet.opener(connection, passwords)
    with progress(output, steps=False) as watcher:
        run = Rollout(connection.forks, watcher)
        surveyed = run.survey(desired, open_agent, keep=True, look=planned_aloud)
    try:
        interrupted = [each for each in surveyed if each.interrupted]
        if interrupted and not run.interrupted:
            if not yes:
                left = [each.outcome for each in interrupted]
                question.ask("recover", "Put back", left, diff=False)
            with progress(output, steps=True) as run.watcher:
                surveyed = run.recover(surveyed, lock_timeout)
        outcomes = [each.outcome for each in surveyed]
        changing = [each for each in surveyed if each.agent]
        if changing and not run.interrupted:
            _may_make_tokens(changing, create_tokens)
            if not yes:
                question.ask("plan", "Change", [each.outcome for each in changing], diff=diff)
            changing_servers = [each.desired.server for each in changing]
            keyring.make(changing_servers)
            tokens = keyring.tokens(changing_servers)
            with progress(output, steps=True) as run.watcher:
                outcomes = run.carry_out(surveyed, tokens, lock_timeout)
                outcomes = run.confirm(
                    surveyed, outcomes, tokens, standing=Status.CHANGED, answers=_GOOD_ANSWERS
                )
    except KeyboardInterrupt:
        raise click.Abort(AT_ONCE) from None
    finally:
        for each in surveyed:
            each.closing.close()
    return results("apply", run, outcomes, output, diff=diff)


def _may_make_tokens(changing: Sequence[Surveyed], create_tokens: bool) -> None:
    """Refuse to make a token where it may be lost: a CI checkout goes, and the token with it."""
    if create_tokens or sys.stdin.isatty():
        return
    for each in changing:
        if each.plan and each.plan.makes_tokens:
            raise UsageError(
                f"{each.desired.server.name} needs a new token, and none is made without a "
                "terminal: where the token file vanishes with this checkout, the token would too",
                "make it where the token file is kept, or give --create-tokens",
            )

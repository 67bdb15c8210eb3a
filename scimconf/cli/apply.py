"""`scimconf apply`: make the servers as the inventory says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scimconf.cli import options
from scimconf.cli import plan as plan_verb
from scimconf.cli.options import (
    ConnectionOptions,
    OutputOptions,
    RolloutOptions,
    SourceOptions,
    VaultOptions,
)
from scimconf.cli.put_back import AT_ONCE
from scimconf.errors import UsageError
from scimconf.model import Outcome

if TYPE_CHECKING:
    from scimconf.batches import Strategy
    from scimconf.rollout import Rollout
    from scimconf.saved_plan import SavedPlan
    from scimconf.survey import Surveyed
    from scimconf.tokens.keyring import Keyring


_GOOD_ANSWERS = 3
"""In a row, from the public side after a restart: workers may change one by one."""

_SIZES_SHOWN = 8
"""Batches whose size the question names."""


@click.command("apply")
@options.pattern
@options.source
@options.option("--check", variable="CHECK", is_flag=True, help="Change nothing: the same as plan.")
@options.option(
    "--plan",
    "plan_file",
    variable="PLAN",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Only what this file, written by plan --out, says; refused if anything has moved on.",
)
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
@options.rollout
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    check: bool,
    plan_file: Path | None,
    diff: bool,
    yes: bool,
    create_tokens: bool,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Make the hosts of PATTERN (all if there is none) as the inventory says.

    Shows the plan and asks; then changes each server in one transaction, which proves on the
    server that SCIM answers, or puts everything back. Then it asks the public URLs as the
    identity provider would.
    """
    from scimconf import batches
    from scimconf.cli import fleet, question
    from scimconf.cli.output import progress, results
    from scimconf.rollout import Rollout
    from scimconf.saved_plan import load
    from scimconf.survey import planned_aloud

    if check:
        return plan_verb.run(pattern, source, connection, vault, output, diff=diff)
    if not yes:
        question.may_ask("apply")
    strategy = batches.strategy(rollout.serial, rollout.canary, rollout.max_fail)
    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet)
    chosen = fleet.select(inventory, pattern, source.limit)
    servers = batches.ordered(chosen, rollout.order, lambda server: server.name)
    approved = load(plan_file) if plan_file else None
    if approved:
        approved.check_selection(servers)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    keyring.fetch(servers)
    desired = [keyring.desired(server) for server in servers]
    open_agent = fleet.opener(source, connection, passwords)
    with progress(output, steps=False) as watcher:
        run = Rollout(connection.forks, watcher, connection.retries)
        surveyed = run.survey(desired, open_agent, keep=True, look=planned_aloud)
    how = _How(yes, diff, create_tokens, lock_timeout, strategy, approved, output)
    try:
        outcomes = _carry_out(run, surveyed, keyring, how)
    except KeyboardInterrupt:
        raise click.Abort(AT_ONCE) from None
    finally:
        for each in surveyed:
            each.closing.close()
    return results("apply", run, outcomes, output, diff=diff)


@dataclass(frozen=True, slots=True)
class _How:
    """What the options say of the way from the plan to the change."""

    yes: bool
    diff: bool
    create_tokens: bool
    lock_timeout: int
    strategy: Strategy
    approved: SavedPlan | None
    output: OutputOptions


def _carry_out(
    run: Rollout, surveyed: Sequence[Surveyed], keyring: Keyring, how: _How
) -> Sequence[Outcome]:
    """Recover, compare with the approved plan, ask, change and ask the public side."""
    from scimconf.cli.output import progress

    if how.approved and (refused := how.approved.refusal(surveyed)):
        return refused
    if any(each.interrupted for each in surveyed) and not run.interrupted:
        surveyed = _recover(run, surveyed, how)
        if how.approved and (refused := how.approved.refusal(surveyed)):
            return refused
    outcomes = [each.outcome for each in surveyed]
    changing = [each for each in surveyed if each.pending]
    if not changing or run.interrupted:
        return outcomes
    _may_make_tokens(changing, how.create_tokens)
    _ask("plan", "Change", changing, how, _in_batches(surveyed, how.strategy))
    servers = [each.desired.server for each in changing]
    keyring.make(servers)
    tokens = keyring.tokens(servers)
    with progress(how.output, steps=True) as run.watcher:
        return run.carry_out(surveyed, tokens, how.lock_timeout, how.strategy, _GOOD_ANSWERS)


def _recover(run: Rollout, surveyed: Sequence[Surveyed], how: _How) -> Sequence[Surveyed]:
    """Put back what interrupted runs left; gives the servers as they stand then."""
    from scimconf.cli.output import progress

    _ask("recover", "Put back", [each for each in surveyed if each.interrupted], how)
    with progress(how.output, steps=True) as run.watcher:
        return run.recover(surveyed, how.lock_timeout)


def _in_batches(surveyed: Sequence[Surveyed], strategy: Strategy) -> str:
    """Say in what batches the servers would be changed, "" if in one."""
    from scimconf.unit import to_change

    batches = strategy.batches(to_change(surveyed), len(surveyed))
    if len(batches) < 2:
        return ""
    sizes = [sum(each.pending for unit in batch for each in unit) for batch in batches]
    more = ", ..." if len(sizes) > _SIZES_SHOWN else ""
    return f" in {len(sizes)} batches of {', '.join(map(str, sizes[:_SIZES_SHOWN]))}{more}"


def _ask(
    verb: str, what: str, servers: Sequence[Surveyed], how: _How, in_batches: str = ""
) -> None:
    from scimconf.cli import question

    if not how.yes:
        outcomes = [each.outcome for each in servers]
        question.ask(verb, what, outcomes, diff=how.diff, in_batches=in_batches)


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

"""From the look to the change, as a person is asked on the way: what `apply` and `rotate` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from scimconf.cli.options import ConnectionOptions, OutputOptions
from scimconf.cli.put_back import AT_ONCE
from scimconf.cli.streams import err
from scimconf.errors import ExitCode, UsageError
from scimconf.model import Outcome, Server, Status

if TYPE_CHECKING:
    from scimconf.batches import Strategy
    from scimconf.rollout import Rollout
    from scimconf.saved_plan import SavedPlan
    from scimconf.survey import Opener, Surveyed
    from scimconf.tokens.keyring import Keyring

_GOOD_ANSWERS = 3
"""In a row, from the public side after a restart: workers may change one by one."""

_SIZES_SHOWN = 8
"""Batches whose size the question names."""


@dataclass(frozen=True, slots=True)
class How:
    """What the options say of the way from the look to the change."""

    connection: ConnectionOptions
    output: OutputOptions
    strategy: Strategy
    lock_timeout: int
    yes: bool
    diff: bool
    create_tokens: bool = False
    approved: SavedPlan | None = None
    at_go: Callable[[], None] = lambda: None
    """Called once it is agreed, before the first server is touched."""


def change(
    servers: Sequence[Server], keyring: Keyring, open_agent: Opener, how: How
) -> tuple[Rollout, Sequence[Outcome]]:
    """Look at the servers, ask, and make them as they should be; gives the run and its outcomes."""
    from scimconf.cli.output import progress
    from scimconf.rollout import Rollout
    from scimconf.survey import planned_aloud

    desired = [keyring.desired(server) for server in servers]
    # Whoever waits for another run is told so, in a log too.
    with progress(how.output, steps=how.lock_timeout > 0) as watcher:
        run = Rollout(how.connection.forks, watcher, how.connection.retries)
        surveyed = run.survey(
            desired, open_agent, keep=True, look=planned_aloud, lock_timeout=how.lock_timeout
        )
    try:
        return run, _carry_out(run, surveyed, keyring, how)
    except KeyboardInterrupt:
        raise click.Abort(AT_ONCE) from None
    finally:
        for each in surveyed:
            each.closing.close()


def settled(servers: Sequence[Server], outcomes: Sequence[Outcome]) -> list[Server]:
    """Give the servers that are as they should be, and all of their deployment with them.

    An unmanaged realm on one of them changes nothing about the realms that the inventory names.
    """
    return _whole(servers, [outcome for outcome in outcomes if _is_good(outcome)])


def in_force(servers: Sequence[Server], outcomes: Sequence[Outcome]) -> list[Server]:
    """Return the servers that have what was wanted, proved or not, with all of their deployment.

    A check that failed after the commit takes nothing back: the new token is the one in force.
    """
    return _whole(servers, [each for each in outcomes if _is_good(each) or each.in_force])


def _is_good(outcome: Outcome) -> bool:
    return outcome.status in (Status.OK, Status.CHANGED) or outcome.only_unmanaged


def _whole(servers: Sequence[Server], good: Sequence[Outcome]) -> list[Server]:
    names = {outcome.server for outcome in good}
    open_ends = {each.deployment for each in servers if each.name not in names}
    return [each for each in servers if each.deployment not in open_ends]


def noted(note: Callable[[], None], hint: str) -> ExitCode:
    """Note in the token file what the servers have now; gives an exit code.

    They have been changed: whatever happens to the file, what came of them is still told.
    """
    try:
        note()
    except UsageError as error:
        err(f"error: {error.message}")
        err(f"  -> once it can be written, {hint} notes what the servers have now")
        return ExitCode.FAILED
    return ExitCode.OK


def _carry_out(
    run: Rollout, surveyed: Sequence[Surveyed], keyring: Keyring, how: How
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
    how.at_go()
    servers = [each.desired.server for each in changing]
    keyring.make(servers)
    tokens = keyring.tokens(servers)
    with progress(how.output, steps=True) as run.watcher:
        return run.carry_out(surveyed, tokens, how.lock_timeout, how.strategy, _GOOD_ANSWERS)


def _recover(run: Rollout, surveyed: Sequence[Surveyed], how: How) -> Sequence[Surveyed]:
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


def _ask(verb: str, what: str, servers: Sequence[Surveyed], how: How, in_batches: str = "") -> None:
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

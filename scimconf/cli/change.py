"""From the look to the change, as a person is asked on the way: what `apply` and `rotate` share.

The order matters: compare with the approved plan, ask, and only then run what the inventory names,
read tokens that are kept elsewhere, write the token file and change servers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from scimconf.cli.options import ConnectionOptions, OutputOptions
from scimconf.cli.put_back import AT_ONCE
from scimconf.cli.streams import err
from scimconf.errors import ExitCode, UsageError
from scimconf.model import Outcome, Plan, Reference, Server, Status

if TYPE_CHECKING:
    from scimconf.batches import Strategy
    from scimconf.inventory import Inventory
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


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a run."""

    run: Rollout
    outcomes: Sequence[Outcome]
    agreed: bool
    """Whether somebody has agreed to it: only then may the token file be written."""


def change(servers: Sequence[Server], keyring: Keyring, open_agent: Opener, how: How) -> Done:
    """Look at the servers, ask, and make them as they should be."""
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
    opened = [*surveyed]
    try:
        return _carry_out(run, surveyed, keyring, open_agent, how, opened)
    except KeyboardInterrupt:
        raise click.Abort(AT_ONCE) from None
    finally:
        for each in opened:
            each.closing.close()


def settled(servers: Sequence[Server], outcomes: Sequence[Outcome]) -> list[Server]:
    """Return the servers that are as they should be, and all of their deployment with them.

    An unmanaged realm on one of them changes nothing about the realms that the inventory names.
    """
    return _whole(servers, [outcome for outcome in outcomes if _is_good(outcome)])


def in_force(servers: Sequence[Server], outcomes: Sequence[Outcome]) -> list[Server]:
    """Return the servers that have what was wanted, proved or not, with all of their deployment.

    A check that failed after the commit takes nothing back: the new token is the one in force.
    """
    return _whole(servers, [each for each in outcomes if _is_good(each) or each.in_force])


def whole(proved: Sequence[Server], chosen: Sequence[Server], inventory: Inventory) -> list[Server]:
    """Return those of which the whole deployment was chosen.

    A server of it that this run has not seen may let a token in that the others have not any more.
    """
    names = {each.name for each in chosen}
    every = inventory.servers.values()
    unseen = {each.deployment for each in every if each.name not in names}
    return [each for each in proved if each.deployment not in unseen]


def _is_good(outcome: Outcome) -> bool:
    return outcome.status in (Status.OK, Status.CHANGED) or outcome.only_unmanaged


def _whole(servers: Sequence[Server], good: Sequence[Outcome]) -> list[Server]:
    names = {outcome.server for outcome in good}
    open_ends = {each.deployment for each in servers if each.name not in names}
    return [each for each in servers if each.deployment not in open_ends]


def noted(note: Callable[[], None], hint: str) -> ExitCode:
    """Write into the token file what the servers have now; returns an exit code.

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
    run: Rollout,
    surveyed: Sequence[Surveyed],
    keyring: Keyring,
    open_agent: Opener,
    how: How,
    opened: list[Surveyed],
) -> Done:
    """Compare with the approved plan, recover, ask, get the tokens, change, ask the public side.

    `opened` gets every server that was looked at, for whoever closes the conversations.
    """
    from scimconf.cli.output import progress

    if how.approved and (refused := how.approved.refusal(surveyed)):
        return Done(run, refused, agreed=False)
    if any(each.interrupted for each in surveyed) and not run.interrupted:
        surveyed = _recover(run, surveyed, how)
        if how.approved and (refused := how.approved.refusal(surveyed)):
            return Done(run, refused, agreed=False)
    outcomes = [each.outcome for each in surveyed]
    changing = [each for each in surveyed if each.pending]
    references = _references(surveyed)
    if run.interrupted or not (changing or references):
        return Done(run, outcomes, agreed=how.yes)
    _refuse_new_tokens(changing, how)
    _ask("plan", "Change", changing, how, _in_batches(surveyed, how.strategy), references)
    how.at_go()
    keyring.fetch([each.desired.server for each in surveyed if _was_seen(each)])
    surveyed, moved = _look_again(run, surveyed, keyring, open_agent, opened, how)
    if moved and how.approved:
        return Done(run, how.approved.refused(surveyed, moved), agreed=False)
    changing = [each for each in surveyed if each.pending]
    _refuse_new_tokens(changing, how)
    if moved:
        _ask(
            "plan", "The tokens that were fetched change more than was shown. Change", changing, how
        )
    _ask_about_lock_outs(changing, how)
    servers = [each.desired.server for each in changing]
    keyring.make(servers)
    tokens = keyring.tokens(servers)
    surveyed = [replace(each, desired=keyring.desired(each.desired.server)) for each in surveyed]
    with progress(how.output, steps=True) as run.watcher:
        outcomes = run.carry_out(surveyed, tokens, how.lock_timeout, how.strategy, _GOOD_ANSWERS)
    return Done(run, outcomes, agreed=True)


def _recover(run: Rollout, surveyed: Sequence[Surveyed], how: How) -> Sequence[Surveyed]:
    """Put back what interrupted runs left; returns the servers as they stand then."""
    from scimconf.cli.output import progress

    _ask("recover", "Put back", [each for each in surveyed if each.interrupted], how)
    with progress(how.output, steps=True) as run.watcher:
        return run.recover(surveyed, how.lock_timeout)


def _was_seen(each: Surveyed) -> bool:
    return each.outcome.status in (Status.OK, Status.PENDING)


def _references(surveyed: Sequence[Surveyed]) -> dict[Reference, str]:
    """Return what has to be run or read for tokens that are kept elsewhere, and for which realm."""
    found: dict[Reference, str] = {}
    for each in filter(_was_seen, surveyed):
        server = each.desired.server
        for realm in server.realms:
            if realm.present and isinstance(realm.token, Reference):
                found.setdefault(realm.token, f"realm {realm.label} of {server.name}")
    return found


def _look_again(
    run: Rollout,
    surveyed: Sequence[Surveyed],
    keyring: Keyring,
    open_agent: Opener,
    opened: list[Surveyed],
    how: How,
) -> tuple[Sequence[Surveyed], dict[str, str]]:
    """Look again at servers whose tokens are known now and were not, or not so, at the first look.

    Returns all servers as they stand then, and where more is to be done than was shown, what.
    """
    from scimconf.cli.output import progress
    from scimconf.survey import planned_aloud

    other = {}
    for each in surveyed:
        desired = keyring.desired(each.desired.server)
        if _was_seen(each) and desired != each.desired:
            other[each.outcome.server] = desired
            each.closing.close()
    if not other:
        return surveyed, {}
    with progress(how.output, steps=False) as run.watcher:
        again = run.survey([*other.values()], open_agent, keep=True, look=planned_aloud)
    opened += again
    by_name = {each.outcome.server: each for each in again}
    moved = {
        each.outcome.server: why
        for each in surveyed
        if (found := by_name.get(each.outcome.server)) and (why := _more(each.plan, found.plan))
    }
    return [by_name.get(each.outcome.server, each) for each in surveyed], moved


def _more(before: Plan | None, after: Plan | None) -> str:
    """Return what a second plan does that the first did not show, "" if nothing."""
    if before is None or after is None:
        return ""
    shown = {(action.kind, action.realm) for action in before.actions}
    new = [each.text for each in after.actions if (each.kind, each.realm) not in shown]
    if before.settings_sha256 != after.settings_sha256:
        new.append("settings.py was changed since")
    if before.secrets_sha256 != after.secrets_sha256:
        new.append("zulip-secrets.conf was changed since")
    return "; ".join(new)


# --- questions --------------------------------------------------------------------------------


def _in_batches(surveyed: Sequence[Surveyed], strategy: Strategy) -> str:
    """Return in what batches the servers would be changed, "" if in one."""
    from scimconf.unit import to_change

    batches = strategy.batches(to_change(surveyed), len(surveyed))
    if len(batches) < 2:
        return ""
    sizes = [sum(each.pending for unit in batch for each in unit) for batch in batches]
    more = ", ..." if len(sizes) > _SIZES_SHOWN else ""
    return f" in {len(sizes)} batches of {', '.join(map(str, sizes[:_SIZES_SHOWN]))}{more}"


def _ask(
    verb: str,
    what: str,
    servers: Sequence[Surveyed],
    how: How,
    in_batches: str = "",
    references: dict[Reference, str] | None = None,
) -> None:
    from scimconf.cli import question

    if how.yes:
        return
    question.ask(
        verb,
        what,
        [each.outcome for each in servers],
        diff=how.diff,
        in_batches=in_batches,
        references=references or {},
    )


def _refuse_new_tokens(changing: Sequence[Surveyed], how: How) -> None:
    """Raise UsageError where a token needs more than --yes.

    Without a terminal this may be a CI job: its checkout goes, and a new token with it. And a token
    that replaces the one in force locks the identity provider out; an approved plan says so.
    """
    if how.create_tokens or sys.stdin.isatty():
        return
    locked_out = _locked_out(changing)
    if locked_out and not how.approved:
        raise UsageError(
            f"this replaces the token in force of {locked_out}, and locks the identity provider "
            "out until it has the other one: --yes is not enough for that",
            "scimconf plan says where the token in force comes from; to keep one that the token "
            "file does not have: scimconf import; to replace it: --create-tokens",
        )
    for each in changing:
        if each.plan and each.plan.makes_tokens:
            raise UsageError(
                f"{each.desired.server.name} needs a new token, and none is made without a "
                "terminal: where the token file vanishes with this checkout, the token would too",
                "make it where the token file is kept, or give --create-tokens",
            )


def _ask_about_lock_outs(changing: Sequence[Surveyed], how: How) -> None:
    """Ask this one thing by itself, with --yes too; raises click.Abort for a no."""
    from scimconf.cli import question

    locked_out = _locked_out(changing)
    if locked_out and not (how.create_tokens or how.approved):
        question.confirm(
            f"The identity provider is locked out of {locked_out} until it has the other token. "
            "Replace the token in force?"
        )


def _locked_out(changing: Sequence[Surveyed]) -> str:
    """Return the realms whose token in force gives way to one that nobody has yet."""
    named = [
        f"realm {realm or '(root)'} of {each.outcome.server}"
        for each in changing
        for realm in (each.plan.locks_out if each.plan else ())
    ]
    return ", ".join(named)

"""`scimconf rotate`: new tokens, in the transaction that `apply` makes."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import click

from scimconf.cli import options
from scimconf.cli.options import (
    ConnectionOptions,
    OutputOptions,
    RolloutOptions,
    SourceOptions,
    VaultOptions,
)
from scimconf.cli.streams import err
from scimconf.cli.which_tokens import (
    Mode,
    Wanted,
    check_whole,
    keys_of,
    listed,
    tell_what_is_replaced,
    who_shares,
)
from scimconf.errors import UsageError, worst
from scimconf.model import Outcome, Server, Status

if TYPE_CHECKING:
    from scimconf.cli.change import Done
    from scimconf.tokens.store import Key

_log = logging.getLogger(__name__)


def _age(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([dw])", value, re.ASCII)
    if not found:
        raise click.BadParameter(f"{value!r} is no age, such as 90d or 12w", context, parameter)
    return timedelta(days=int(found[1]) * (7 if found[2] == "w" else 1))


@options.verb("rotate")
@options.pattern
@options.source
@options.realm
@options.option(
    "--older-than",
    callback=_age,
    metavar="AGE",
    help="Replace only tokens older than this: 90d, 12w.",
)
@options.option(
    "--stage",
    variable=False,
    is_flag=True,
    help="Create the next token. Contact no server yet.",
)
@options.option("--activate", variable=False, is_flag=True, help="Put the staged tokens into use.")
@options.option(
    "--back",
    variable=False,
    is_flag=True,
    help="Put the previous tokens back into use, within 7 days.",
)
@options.diff
@options.yes
@options.lock_timeout
@options.rollout
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    older_than: timedelta | None,
    stage: bool,
    activate: bool,
    back: bool,
    diff: bool,
    yes: bool,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Replace bearer tokens with new ones.

    By default each server gets its new token at once and refuses the old one. The identity
    provider is locked out until the new token is entered there.

    To prepare that, rotate in two steps: --stage creates the next token, which can be handed over
    in advance, and --activate puts it into use. --back returns to the previous token.
    """
    from scimconf import batches
    from scimconf.cli import fleet, question
    from scimconf.cli.change import How, change, in_force, noted
    from scimconf.cli.output import results
    from scimconf.tokens.rotation import activated, gone_back

    mode = _mode(stage=stage, activate=activate, back=back)
    if not yes and mode != "stage":
        question.may_ask("rotate")
    strategy = batches.strategy(rollout.serial, rollout.canary, rollout.max_fail)
    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=output.files)
    chosen = fleet.select(inventory, pattern, source.limit)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    wanted = Wanted(mode, realms, older_than)
    servers = wanted.narrowed(chosen, keyring)
    if not servers:
        _nothing(wanted)
        return _no_server(output)
    check_whole(servers, inventory)
    keys = sorted({key for server in servers for key in keys_of(server)})
    shared = who_shares(keyring, keys, inventory) if realms else {}
    for warning in shared.values():
        _log.warning("%s", warning)
    if wanted.mode != "activate":
        tell_what_is_replaced(keyring, keys)
    if wanted.mode == "stage":
        keyring.keep(keyring.staged(keys), keys)
        err(f"made the next token of {listed(keys)}; the one in force stays in force")
        err("next: scimconf handoff --next --show-tokens")
        err("then, in the window: scimconf rotate --activate")
        return _no_server(output)
    if wanted.mode == "at once":
        _log.warning(
            "after its server's restart, each identity provider is locked out until it has the new "
            "token (to hand it over first: scimconf rotate --stage)"
        )
    staged = keyring.staged(keys) if wanted.mode == "at once" else keyring
    turned = staged.turned(keys, gone_back if wanted.mode == "back" else activated)
    changed = change(
        servers,
        turned,
        fleet.opener(source, connection, passwords, servers),
        How(
            *(connection, output, strategy, lock_timeout),
            yes=yes,
            diff=diff,
            at_go=partial(keyring.keep, staged, keys),
        ),
    )
    good = in_force(servers, changed.outcomes) if _agreed(changed) else []
    done = {key for server in good for key in keys_of(server)}
    again = "--back" if wanted.mode == "back" else "--activate"
    failed = noted(partial(keyring.keep, turned, done), f"scimconf rotate {again}")
    if left := [key for key in keys if key not in done]:
        err(f"the token that was in force stays in force: {listed(left)}")
        err(f"  -> once that is put right: scimconf rotate {again}")
    told = [_told(each, servers, shared) for each in changed.outcomes]
    return worst([failed, results("rotate", changed.run, told, output, diff=diff)])


def _agreed(done: Done) -> bool:
    """Return whether the token file may be written; asks where nobody was asked yet.

    That is where the servers have the tokens already: an earlier run ended before it wrote them.
    """
    from scimconf.cli import question

    if done.agreed or any(each.status is not Status.OK for each in done.outcomes):
        return done.agreed
    question.confirm("The servers have these tokens already. Write that into the token file?")
    return True


def _mode(**flags: bool) -> Mode:
    """Give what the options say. Raises UsageError for two at once: which of them was meant?"""
    modes: dict[str, Mode] = {"stage": "stage", "activate": "activate", "back": "back"}
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"--{' and --'.join(given)} exclude each other", "give one of them")
    return modes[given[0]] if given else "at once"


def _nothing(wanted: Wanted) -> None:
    """Say that there is nothing to do: all right where an age was asked about, else a mistake."""
    what = {
        "activate": ("no token is staged there", "make one first: scimconf rotate --stage"),
        "back": (
            "no previous token is kept there",
            "it is kept for 7 days after a rotation; make a new one: scimconf rotate",
        ),
    }
    message, hint = what.get(
        wanted.mode,
        (
            "the token file holds no such token",
            "scimconf apply makes the first one; one that is kept elsewhere is changed there",
        ),
    )
    if wanted.older_than is None:
        raise UsageError(message, hint)
    days = f"{wanted.older_than.days} day{'' if wanted.older_than.days == 1 else 's'}"
    err(f"nothing to rotate: {message}, or none is older than {days}")


def _no_server(output: OutputOptions) -> int:
    """Give the result of a run that has touched no server, for whoever reads results."""
    from scimconf.cli.output import results
    from scimconf.report.no_progress import NoProgress
    from scimconf.rollout import Rollout

    return results("rotate", Rollout(1, NoProgress()), [], output)


def _told(outcome: Outcome, servers: Sequence[Server], shared: Mapping[Key, str]) -> Outcome:
    """Return the outcome with who shared its tokens, and how long SCIM was unavailable.

    The server measured it; where it could not, restart and gate together are the most.
    """
    keys = {key for each in servers if each.name == outcome.server for key in keys_of(each)}
    warnings = [text for key, text in shared.items() if key in keys]
    outcome = replace(outcome, warnings=(*outcome.warnings, *warnings))
    hint = f"enter it at the identity provider: scimconf handoff --show-tokens {outcome.server}"
    if outcome.status is Status.OK:
        return replace(outcome, message="the token is in force there already", hint=hint)
    if outcome.status is not Status.CHANGED:
        return outcome
    seconds = outcome.outage
    if seconds is None:
        seconds = sum(step.seconds for step in outcome.steps if step.name in ("restart", "gate"))
    message = (
        f"SCIM was unavailable for at most {seconds:.1f} s; only the token now in force is let in"
    )
    said = f"{message}; {outcome.message}" if outcome.message else message
    return replace(outcome, message=said, hint=outcome.hint or hint)

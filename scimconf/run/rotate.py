"""`rotate`: replace tokens, with the same transaction as `apply`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.fleet.look import Looked
from scimconf.model import Outcome, Server, Status
from scimconf.run import changes, next_step
from scimconf.run.changes import ChangeOptions
from scimconf.run.connect import connect
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import start
from scimconf.run.which_tokens import (
    Wanted,
    check_whole,
    keys_of,
    listed,
    tell_what_is_replaced,
    who_shares,
)
from scimconf.server_warning import ServerWarning
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.rotation import activated, rolled_back
from scimconf.tokens.store import Key

_NO_SERVER = Result("rotate")


@dataclass(frozen=True, slots=True)
class RotateOptions:
    """The options of `rotate`."""

    source: SourceOptions
    pattern: tuple[str, ...]
    connection: ConnectionOptions
    change: ChangeOptions
    wanted: Wanted
    writes: tuple[Path, ...] = ()


def rotate(options: RotateOptions, person: Person) -> Result:
    """Put the next or the previous token of the selected realms in force.

    The steps: select the realms, generate new tokens or take staged ones, observe, recover, ask,
    write the tokens into the token file as staged, change the servers, and record in the token file
    which tokens are in force. Raises UsageError, Stopped.
    """
    wanted, how = options.wanted, options.change
    begun = start(
        options.source, options.pattern, person, options.connection, writes=options.writes
    )
    keyring = begun.keyring()
    servers = wanted.narrowed(begun.servers, keyring, person)
    if not servers:
        _report_nothing(wanted, person)
        return _NO_SERVER
    check_whole(servers, begun.inventory)
    keys = sorted({key for server in servers for key in keys_of(server)})
    shared = who_shares(keyring, keys, begun.inventory) if wanted.realms else {}
    for warning in shared.values():
        person.warn(warning)
    if wanted.mode != "activate":
        tell_what_is_replaced(keyring, keys, person)
    if wanted.mode == "stage":
        return _stage(keyring, keys, options, person)
    staged = keyring
    if wanted.mode == "at once":
        person.warn(
            "after the restart of its server, each identity provider is locked out until it has "
            "the new token; to hand over the new token first: scimconf rotate --stage"
        )
        staged = keyring.staged(keys)
    turned = staged.turned(keys, rolled_back if wanted.mode == "back" else activated)
    with (
        changes.told_of_interruption(),
        connect(begun, options.connection, servers, person) as fleet,
    ):
        desired = [turned.desired(server) for server in servers]
        looked: Sequence[Looked] = changes.look(
            fleet, desired, person, lock_timeout=how.lock_timeout
        )
        looked = changes.recover(fleet, looked, how, person)
        outcomes = [each.outcome for each in looked]
        agreed = how.yes
        if not fleet.interrupted and changes.pending(looked):
            changes.approve(looked, how, person)
            agreed = True
            keyring.keep(staged, keys)
            tokens = turned.tokens(each.server for each in changes.pending(looked))
            outcomes = changes.change(fleet, looked, tokens, how, person)
        agreed = agreed or _is_agreed(outcomes, person)
    good = changes.in_force(servers, outcomes) if agreed else []
    done = {key for server in good for key in keys_of(server)}
    again = "scimconf rotate --back" if wanted.mode == "back" else "scimconf rotate --activate"
    written = changes.noted(partial(keyring.keep, turned, done), person, again)
    if left := [key for key in keys if key not in done]:
        person.tell(f"the token in force is unchanged: {listed(left)}")
        person.tell(f"  -> fix the cause, then run: {again}")
    told = [_with_remarks(each, servers, shared) for each in outcomes]
    return Result(
        "rotate",
        described(looked, told),
        fleet.interrupted,
        not written,
        tokens=keyring.dates(servers),
    )


def _stage(keyring: Keyring, keys: Sequence[Key], options: RotateOptions, person: Person) -> Result:
    """Generate the next tokens and write them into the token file. Contact no server."""
    keyring.keep(keyring.staged(keys), keys)
    person.tell(f"staged a new token for {listed(keys)}; the token in force is unchanged")
    realms = [word for realm in options.wanted.realms for word in ("--realm", realm)]
    common = (*realms, *person.password_options)
    handoff = ("handoff", options.source, options.pattern, (*common, "--next", "--show-tokens"))
    way = next_step.way(options.connection)
    activate = ("rotate", options.source, options.pattern, (*common, *way, "--activate"))
    lines = (
        f"next: {next_step.command(*handoff)}",
        f"then, at the planned time: {next_step.command(*activate)}",
    )
    return replace(_NO_SERVER, next=lines)


def _is_agreed(outcomes: Sequence[Outcome], person: Person) -> bool:
    """Return whether the token file may be written although no server was changed.

    The servers have the tokens already if an earlier run ended before it wrote the file. Ask then.
    """
    if any(each.status is not Status.OK for each in outcomes):
        return False
    person.confirm("The servers already have these tokens. Record this in the token file?")
    return True


def _report_nothing(wanted: Wanted, person: Person) -> None:
    """Report that there is nothing to rotate. Raises UsageError, except with --older-than."""
    what = {
        "activate": (
            "no token is staged for the selected realms",
            "stage one first: scimconf rotate --stage",
        ),
        "back": (
            "no previous token is kept for the selected realms",
            "a previous token is kept for 7 days; to rotate to a new token: scimconf rotate",
        ),
    }
    message, hint = what.get(
        wanted.mode,
        (
            "the token file has no token for the selected realms",
            "to create the first token: scimconf apply; if the token is kept elsewhere, change it "
            "there",
        ),
    )
    if wanted.older_than is None:
        raise UsageError(message, hint)
    days = f"{wanted.older_than.days} day{'' if wanted.older_than.days == 1 else 's'}"
    person.tell(f"nothing to rotate: {message}, or none is older than {days}")


def _with_remarks(
    outcome: Outcome, servers: Sequence[Server], shared: Mapping[Key, str]
) -> Outcome:
    """Return the outcome with warnings about shared tokens, and how long SCIM was unavailable.

    The server measures that time. If it could not, the time of restart and gate is the upper limit.
    """
    keys = {key for each in servers if each.name == outcome.server for key in keys_of(each)}
    warnings = [ServerWarning("shared-token", text) for key, text in shared.items() if key in keys]
    outcome = replace(outcome, warnings=(*outcome.warnings, *warnings))
    hint = (
        "enter the token at the identity provider; to print it: "
        f"scimconf handoff --show-tokens {outcome.server}"
    )
    if outcome.status is Status.OK:
        return replace(outcome, message="the token is already in force", hint=hint)
    if outcome.status is not Status.CHANGED:
        return outcome
    seconds = outcome.outage
    if seconds is None:
        seconds = sum(step.seconds for step in outcome.steps if step.name in ("restart", "gate"))
    message = (
        f"SCIM was unavailable for at most {seconds:.1f} s; only the token now in force is accepted"
    )
    said = f"{message}; {outcome.message}" if outcome.message else message
    return replace(outcome, message=said, hint=outcome.hint or hint)

"""`rotate`: replace tokens, with the same transaction as `apply`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.fleet.fleet import Fleet
from scimconf.fleet.look import Looked
from scimconf.fleet.watcher import Watcher
from scimconf.model import Outcome, RunWords, Server, Status
from scimconf.plan import commands
from scimconf.run import changes, delivery
from scimconf.run.both_ends import BothEnds
from scimconf.run.changes import ChangeOptions
from scimconf.run.connect import connect
from scimconf.run.delivery import Delivery
from scimconf.run.options import NO_HOSTS, ConnectionOptions, DeliveryOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import Start, start
from scimconf.run.wait import is_back, refuse_workers, waited
from scimconf.run.which_realms import check_known
from scimconf.run.which_tokens import (
    Mode,
    Wanted,
    already_staged,
    check_whole,
    keys_of,
    listed,
    present_dates,
    tell_what_is_replaced,
    unfinished,
    who_shares,
)
from scimconf.server_warning import ServerWarning
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.rotation import activated
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
    minutes: int | None = None
    """How long to wait for the identity providers after the change; None: do not wait."""
    delivery: DeliveryOptions = NO_HOSTS
    fallback: bool = True
    """Whether the old token may come back if the identity provider does not take the new one."""


def rotate(options: RotateOptions, person: Person) -> Result:
    """Put the next or the previous token of the selected realms in force.

    The steps: select the realms, generate new tokens or take staged ones, observe, recover, ask,
    write the tokens into the token file as staged, change the servers, and record in the token file
    which tokens are in force. Raises UsageError, Stopped.
    """
    wanted, how = options.wanted, options.change
    if how.shard and wanted.mode in ("at once", "stage"):
        raise UsageError(
            "a run with --shard creates no tokens, because its copy of the token file may be lost",
            "stage the tokens where the token file is kept, with --stage and without --shard; then "
            "run the shards with --activate",
        )
    refuse_workers(options.connection, options.minutes)
    begun = start(
        *(options.source, options.pattern, person, options.connection),
        writes=options.writes,
        delivery=options.delivery,
    )
    return replace(_rotate(begun, options, person), scope=begun.scope(wanted.realms))


def _rotate(begun: Start, options: RotateOptions, person: Person) -> Result:
    wanted, how = options.wanted, options.change
    keyring = begun.keyring()
    check_known(wanted.realms, begun)
    servers = wanted.narrowed(begun.servers, keyring, person)
    if not servers:
        _report_nothing(options, begun.words, person)
        return _NO_SERVER
    check_whole(servers, begun.inventory)
    keys = sorted({key for server in servers for key in keys_of(server)})
    if wanted.mode == "stage" and not wanted.replace_staged:
        staged_before = already_staged(keys, keyring)
        _tell_what_is_kept(servers, staged_before, keyring, person)
        keys = [key for key in keys if key not in staged_before]
        if not keys:
            return _NO_SERVER
    shared = who_shares(keyring, keys, begun.inventory) if wanted.realms else {}
    for warning in shared.values():
        person.warn(warning)
    finishes = _under_way(keys, keyring) if wanted.mode == "at once" else []
    if wanted.mode != "activate":
        tell_what_is_replaced(keyring, [key for key in keys if key not in finishes], person)
    if wanted.mode == "stage":
        return _stage(keyring, servers, keys, person)
    found = delivery.deliveries(servers, keys)
    delivery.check_hosts(found, options.delivery, options.source)
    staged = keyring
    if wanted.mode == "at once":
        delivered = {each.key for each in found}
        if by_hand := [key for key in keys if key not in delivered]:
            first = "; ".join(unfinished("rotate --stage", servers, by_hand))
            person.warn(
                "after the restart of its server, each identity provider is locked out until it "
                f"has the new token; to hand over the new token first: {first}"
            )
        if finishes:
            person.tell(
                "finishing the rotation that began earlier, with its token: " + listed(finishes)
            )
        staged = keyring.staged([key for key in keys if key not in finishes])
    shown = commands.as_typed(
        "plan", options.pattern, options.source.limit, wanted.realms, begun.words
    )
    with (
        changes.told_of_interruption(shown),
        connect(begun, options.connection, servers, person) as fleet,
    ):
        unseen: Sequence[Looked] = []
        if wanted.mode == "back":
            present, unseen = _which_are_present(fleet, keyring, servers, person)
            turned = keyring.rolled_back(keys, present)
        else:
            turned = staged.turned(keys, activated)
        looked = _look(fleet, turned, servers, unseen, how, person)
        looked = changes.recover(fleet, looked, how, person)
        outcomes = [each.outcome for each in looked]
        agreed = how.yes
        if not fleet.interrupted and changes.pending(looked):
            turned.unlock(each.server for each in changes.pending(looked))
            changes.approve(looked, how, person)
            agreed = True
            keyring.keep(staged, keys)
        else:
            agreed = agreed or _is_agreed(outcomes, found, person)
        seen = [each.server for each in looked if each.seen]
        note = partial(fleet.note, lock_timeout=how.lock_timeout)
        ends = BothEnds(found, keyring, {}, {}, note, options.fallback, wanted.mode != "at once")
        if agreed and found and not fleet.interrupted:
            ends = replace(ends, new=turned.tokens(seen), old=keyring.tokens(seen))
        if not fleet.interrupted and changes.pending(looked):
            tokens = turned.tokens(each.server for each in changes.pending(looked))
            outcomes = changes.change(fleet, looked, tokens, how, person, ends.around)
        if agreed and found and not fleet.interrupted:
            outcomes = _finished(fleet, looked, outcomes, ends, person)
        found = [each for each in found if each.key not in ends.left]
        good = changes.in_force(servers, outcomes) if agreed else []
        done = {key for server in good for key in keys_of(server)}
        verb = "rotate --back" if wanted.mode == "back" else "rotate --activate"
        again = "; ".join(unfinished(verb, servers, sorted(done)))
        written = changes.noted(partial(keyring.keep, turned, done, ends.notes), person, again)
        open_ends = {key: note for key, note in ends.notes.items() if key not in done}
        written = changes.noted(partial(keyring.note, open_ends), person, again) and written
        if left := [key for key in keys if key not in done]:
            person.tell(f"the token in force is unchanged: {listed(left)}")
            split = {each.server for each in outcomes if each.status is Status.SPLIT}
            theirs = {key for each in servers if each.name in split for key in keys_of(each)}
            # The hint of a split server has the command that ends this state.
            for line in unfinished(verb, servers, [key for key in left if key not in theirs]):
                person.tell(f"  -> fix the cause, then run: {line}")
        outcomes = _wait(fleet, servers, outcomes, options, found, person)
    told = [_with_remarks(each, servers, shared, wanted.mode, found) for each in outcomes]
    return Result(
        "rotate",
        described(looked, told),
        fleet.interrupted,
        not written,
        tokens=keyring.dates(servers),
        codes=is_back(outcomes),
    )


def _wait(
    fleet: Fleet,
    servers: Sequence[Server],
    outcomes: Sequence[Outcome],
    options: RotateOptions,
    found: Sequence[Delivery],
    person: Person,
) -> list[Outcome]:
    """Wait for the identity providers (--wait), after telling how they get the new token."""
    changed = [each.server for each in outcomes if each.status is Status.CHANGED]
    delivered = {each.key for each in found}
    by_hand = {key for server in servers for key in keys_of(server)} - delivered
    if options.minutes is not None and changed and by_hand and not fleet.interrupted:
        realms = options.wanted.realms
        sheet = commands.command("handoff --show-tokens", changed, realms, servers[0].words)
        person.tell(f"the new tokens are in force; to print them in another terminal: {sheet}")
    return waited(fleet, servers, outcomes, options.minutes, person)


def _under_way(keys: Sequence[Key], keyring: Keyring) -> list[Key]:
    """Return the keys whose staged token an earlier run has begun to deliver. This one goes on."""
    entries = {key: keyring.file.entry(*key) for key in keys}
    return [key for key, entry in entries.items() if entry and entry.delivering and entry.next]


def _finished(
    fleet: Fleet,
    looked: Sequence[Looked],
    outcomes: Sequence[Outcome],
    ends: BothEnds,
    person: Person,
) -> list[Outcome]:
    """Deliver the tokens that servers have already, because an earlier run ended early."""
    servers = [each.server for each in looked]
    whole = {each.deployment for each in changes.in_force(servers, outcomes)}
    idle = [each for each in looked if not each.pending and each.server.deployment in whole]
    busy = {each.server.deployment for each in changes.pending(looked)}
    todo = {each.server.name for each in idle if each.server.deployment not in busy}

    def finish(each: Looked, outcome: Outcome, watcher: Watcher) -> Outcome:
        return ends.finish(each, outcome, watcher) if each.server.name in todo else outcome

    with person.progress(steps=True) as watcher:
        return fleet.each(looked, outcomes, finish, watcher)


def _tell_what_is_kept(
    servers: Sequence[Server], keys: Sequence[Key], keyring: Keyring, person: Person
) -> None:
    """Name the staged tokens that --stage keeps: their sheets may have been handed over."""
    dates: dict[str, list[Key]] = {}
    for key in keys:
        entry = keyring.file.entry(*key)
        if entry and entry.next:
            dates.setdefault(entry.next.created, []).append(key)
    for created, same in dates.items():
        person.tell(
            f"already staged (made {created}), so it is kept, and its hand-off sheet stays valid: "
            f"{listed(same)}"
        )
    for line in unfinished("rotate --stage --replace-staged", servers, keys):
        person.tell(f"  -> to replace it: {line}")


def _which_are_present(
    fleet: Fleet, keyring: Keyring, servers: Sequence[Server], person: Person
) -> tuple[Mapping[Key, str], list[Looked]]:
    """Return the dates of the replaced tokens that servers have, and failed observations.

    After an undo, a server may have an older token than the one that was replaced last. Only
    servers with several replaced tokens are observed.
    """
    asked = [
        server for server in servers if any(map(keyring.has_several_replaced, keys_of(server)))
    ]
    if not asked:
        return {}, []
    with person.progress(steps=False) as watcher:
        looked = fleet.look([keyring.desired(server) for server in asked], watcher)
    keys = {key for server in asked for key in keys_of(server)}
    return present_dates(keys, looked), [each for each in looked if each.observed is None]


def _look(
    fleet: Fleet,
    turned: Keyring,
    servers: Sequence[Server],
    unseen: Sequence[Looked],
    how: ChangeOptions,
    person: Person,
) -> Sequence[Looked]:
    """Observe the servers for the change, except those that could not be observed before."""
    known = {each.server.name: each for each in unseen}
    desired = [turned.desired(server) for server in servers if server.name not in known]
    looked = changes.look(fleet, desired, person, lock_timeout=how.lock_timeout)
    known |= {each.server.name: each for each in looked}
    return [known[server.name] for server in servers]


def _stage(
    keyring: Keyring,
    servers: Sequence[Server],
    keys: Sequence[Key],
    person: Person,
) -> Result:
    """Generate the next tokens and write them into the token file. Contact no server."""
    keyring.keep(keyring.staged(keys), keys)
    person.tell(f"staged a new token for {listed(keys)}; the token in force is unchanged")
    delivered = {each.key for each in delivery.deliveries(servers, keys)}
    by_hand = [key for key in keys if key not in delivered]
    handoff = unfinished("handoff --next --show-tokens", servers, by_hand)
    activate = unfinished("rotate --activate", servers, keys)
    lines = (
        *(f"next: {line}" for line in handoff),
        *(f"then, at the planned time: {line}" for line in activate),
    )
    return replace(_NO_SERVER, next=lines)


def _is_agreed(outcomes: Sequence[Outcome], found: Sequence[Delivery], person: Person) -> bool:
    """Return whether the token file may be written although no server was changed.

    The servers have the tokens already if an earlier run ended before it wrote the file. Ask then,
    also about the deliveries that the earlier run has not ended.
    """
    if any(each.status is not Status.OK for each in outcomes):
        return False
    if found:
        person.tell("This machine will:")
    for line in delivery.described(found):
        person.tell(f"  {line}")
    deliver = "Deliver them, and record" if found else "Record"
    person.confirm(f"The servers already have these tokens. {deliver} this in the token file?")
    return True


def _report_nothing(options: RotateOptions, words: RunWords, person: Person) -> None:
    """Report that there is nothing to rotate. Raises UsageError, but not in a shard or by age."""
    wanted = options.wanted

    def same(verb: str) -> str:
        return commands.as_typed(verb, options.pattern, options.source.limit, wanted.realms, words)

    what = {
        "activate": (
            "no token is staged for the selected realms",
            f"stage one first: {same('rotate --stage')}",
        ),
        "back": (
            "no previous token is kept for the selected realms",
            f"a previous token is kept for 7 days; to rotate to a new token: {same('rotate')}",
        ),
    }
    message, hint = what.get(
        wanted.mode,
        (
            "the token file has no token for the selected realms",
            f"to create the first token: {same('apply')}; if the token is kept elsewhere, change "
            "it there",
        ),
    )
    if options.source.shard:
        person.tell(f"nothing to rotate in shard {options.source.shard}: {message}")
        return
    if wanted.older_than is None:
        raise UsageError(message, hint)
    days = f"{wanted.older_than.days} day{'' if wanted.older_than.days == 1 else 's'}"
    person.tell(f"nothing to rotate: {message}, or none is older than {days}")


def _with_remarks(
    outcome: Outcome,
    servers: Sequence[Server],
    shared: Mapping[Key, str],
    mode: Mode,
    found: Sequence[Delivery],
) -> Outcome:
    """Return the outcome with warnings about shared tokens, and how long SCIM was unavailable.

    The server measures that time. If it could not, the time of restart and gate is the upper limit.
    """
    mine = [each for each in servers if each.name == outcome.server]
    keys = {key for each in mine for key in keys_of(each)}
    warnings = [ServerWarning("shared-token", text) for key, text in shared.items() if key in keys]
    outcome = replace(outcome, warnings=(*outcome.warnings, *warnings))
    delivered = {each.key for each in found}
    realms = sorted(key[1] for key in keys if key not in delivered)
    what = "enter the token at the identity provider"
    if mode == "activate":
        what = "enter the staged token at the identity provider now, if it is not there yet"
    sheet = commands.command("handoff --show-tokens", (outcome.server,), realms, servers[0].words)
    hint = f"{what}; to print it: {sheet}" if realms else ""
    if outcome.status is Status.OK:
        return replace(outcome, message="the token is already in force", hint=hint)
    if outcome.status is not Status.CHANGED:
        return outcome
    message = "only the token now in force is accepted"
    steps = [step.seconds for step in outcome.steps if step.name in ("restart", "gate")]
    if outcome.outage is not None or steps:
        seconds = sum(steps) if outcome.outage is None else outcome.outage
        message = f"SCIM was unavailable for at most {seconds:.1f} s; {message}"
    said = f"{message}; {outcome.message}" if outcome.message else message
    return replace(outcome, message=said, hint=outcome.hint or hint)

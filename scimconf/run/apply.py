"""`apply`: configure the servers as the inventory says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scimconf.fleet.fleet import Fleet
from scimconf.fleet.look import Looked
from scimconf.inventory import Inventory
from scimconf.model import ActionKind, Outcome, Plan, Reference, RunWords, Server
from scimconf.plan.commands import as_typed, command
from scimconf.run import changes, delivery
from scimconf.run.changes import ChangeOptions
from scimconf.run.connect import connect
from scimconf.run.delivery import Delivery
from scimconf.run.options import NO_HOSTS, ConnectionOptions, DeliveryOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.saved_plan import SavedPlan
from scimconf.run.start import Start, start
from scimconf.run.which_realms import narrowed
from scimconf.tokens.keyring import Keyring

_MOST_NAMES = 8
"""The most servers that the command of the next step names; for more, it has the run's PATTERN."""


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """The options of `apply`."""

    source: SourceOptions
    pattern: tuple[str, ...]
    connection: ConnectionOptions
    change: ChangeOptions
    saved: SavedPlan | None = None
    writes: tuple[Path, ...] = ()
    realms: tuple[str, ...] = ()
    """Change only these realms; empty: all."""
    delivery: DeliveryOptions = NO_HOSTS


def apply(options: ApplyOptions, person: Person) -> Result:
    """Configure the servers as the inventory says.

    The steps: observe, compare with the saved plan, recover, try the vault password, ask, fetch
    tokens, ask about the changes that follow from them, generate tokens, change the servers, and
    record in the token file which tokens they have. Raises UsageError, Stopped.
    """
    begun = start(
        *(options.source, options.pattern, person, options.connection),
        writes=options.writes,
        delivery=options.delivery,
    )
    return replace(_apply(begun, options, person), scope=begun.scope(options.realms))


def _apply(begun: Start, options: ApplyOptions, person: Person) -> Result:
    saved, how = options.saved, options.change
    servers = narrowed(begun, options.realms, person)
    if saved:
        saved.check_selection(servers)
        if refused := saved.other_way(servers):
            return Result("apply", tuple(refused))
    keyring = begun.keyring()

    def typed(verb: str) -> str:
        limit, words = options.source.limit, begun.words
        return as_typed(verb, options.pattern, limit, options.realms, words)

    shown = typed("plan")
    with (
        changes.told_of_interruption(shown),
        connect(begun, options.connection, servers, person) as fleet,
    ):
        desired = [keyring.desired(server) for server in servers]
        looked: Sequence[Looked] = changes.look(
            fleet, desired, person, lock_timeout=how.lock_timeout
        )
        if saved and (refused := saved.refusal(looked)):
            return _result(fleet, looked, refused)
        looked = changes.recover(fleet, looked, how, person)
        if saved and (refused := saved.refusal(looked)):
            return _result(fleet, looked, refused)
        references = _references(looked)
        new: Sequence[Delivery] = []
        outcomes = [each.outcome for each in looked]
        agreed = how.yes
        if not fleet.interrupted and (changes.pending(looked) or references):
            changes.refuse_too_many(looked, how, shown)
            changes.refuse_new_tokens(changes.pending(looked), how, person)
            keyring.unlock(
                [each.server for each in changes.pending(looked)],
                [each.server for each in looked if each.seen],
            )
            delivery.check_hosts(delivery.planned(looked), options.delivery, options.source)
            changes.approve(looked, how, person, references)
            agreed = True
            keyring.fetch([each.server for each in looked if each.seen])
            looked, more = _look_again(fleet, looked, keyring, person)
            if more and saved:
                return _result(fleet, looked, saved.refused(looked, more))
            changes.refuse_too_many(looked, how, shown)
            changes.refuse_new_tokens(changes.pending(looked), how, person)
            keyring.unlock([each.server for each in changes.pending(looked)])
            if more:
                changes.approve_more(looked, how, person)
            changes.approve_lock_outs(looked, how, person)
            delivery.check_credentials(delivery.planned(looked))
            changing = [each.server for each in changes.pending(looked)]
            keyring.make(changing)
            looked = [replace(each, desired=keyring.desired(each.server)) for each in looked]
            new = delivery.planned(looked)
            delivery.check_hosts(new, options.delivery, options.source)
            outcomes = changes.change(fleet, looked, keyring.tokens(changing), how, person)
            outcomes = delivery.after_change(fleet, looked, outcomes, new, keyring, person)
        if not agreed:
            return replace(_result(fleet, looked, outcomes), tokens=keyring.dates(servers))
        changed = changes.in_force(servers, outcomes)
        settled = changes.settled(servers, outcomes)
        proved = _of_selected_deployments(settled, servers, begun.inventory)
        written = changes.noted(partial(keyring.settle, changed, proved), person, typed("apply"))
        note = partial(delivery.note_delivered, keyring, new, outcomes)
        written = changes.noted(note, person, typed("deliver")) and written
        result = _result(fleet, looked, outcomes)
        hand_off = _hand_off(result.outcomes, options, begun.words)
        dates = keyring.dates(servers)
        return replace(result, unwritten=not written, next=hand_off, tokens=dates)


def _result(fleet: Fleet, looked: Sequence[Looked], outcomes: Sequence[Outcome]) -> Result:
    return Result("apply", described(looked, outcomes), fleet.interrupted)


def _hand_off(
    outcomes: Sequence[Outcome], options: ApplyOptions, words: RunWords
) -> tuple[str, ...]:
    """Return the next step after new tokens: hand them over to the identity providers."""
    names = [each.server for each in outcomes if each.in_force and _is_for_a_person(each)]
    if not names:
        return ()
    verb, realms = "handoff --show-tokens", options.realms
    if len(names) <= _MOST_NAMES:
        return (f"next: {command(verb, names, realms, words)}",)
    limit = options.source.limit
    return (f"next: {as_typed(verb, options.pattern, limit, realms, words)}",)


def _is_for_a_person(outcome: Outcome) -> bool:
    """Return whether a new token of a server has to be entered by hand."""
    actions = outcome.plan.actions if outcome.plan else ()
    made = {each.realm for each in actions if each.kind is ActionKind.MAKE_TOKEN}
    return bool(made - {each.realm for each in actions if each.kind is ActionKind.DELIVER})


def _references(looked: Sequence[Looked]) -> dict[Reference, str]:
    """Return the references of tokens that are kept elsewhere, each with its realm in words."""
    found: dict[Reference, str] = {}
    for each in looked:
        for realm in each.server.realms if each.seen else ():
            if realm.present and isinstance(realm.token, Reference):
                found.setdefault(realm.token, f"realm {realm.label} of {each.server.name}")
    return found


def _look_again(
    fleet: Fleet, looked: Sequence[Looked], keyring: Keyring, person: Person
) -> tuple[list[Looked], Mapping[str, str]]:
    """Observe servers again if `fetch` has changed the fingerprints of their wanted tokens.

    Return all servers, and by server the changes that the first plan did not show.
    """
    changed = [
        desired
        for each in looked
        if each.seen and (desired := keyring.desired(each.server)) != each.desired
    ]
    if not changed:
        return [*looked], {}
    # The connections were idle while the tokens were fetched, so they may be broken.
    fleet.hang_up([desired.server for desired in changed])
    again = {each.server.name: each for each in changes.look(fleet, changed, person)}
    more = {
        each.server.name: what
        for each in looked
        if (found := again.get(each.server.name)) and (what := _more(each.plan, found.plan))
    }
    return [again.get(each.server.name, each) for each in looked], more


def _more(before: Plan | None, after: Plan | None) -> str:
    """Return what the second plan does and the first one did not show; "" if nothing."""
    if before is None or after is None:
        return ""
    shown = {(action.kind, action.realm) for action in before.actions}
    new = [each.text for each in after.actions if (each.kind, each.realm) not in shown]
    if before.settings_sha256 != after.settings_sha256:
        new.append("settings.py was changed")
    if before.secrets_sha256 != after.secrets_sha256:
        new.append("zulip-secrets.conf was changed")
    return "; ".join(new)


def _of_selected_deployments(
    servers: Sequence[Server], selected: Sequence[Server], inventory: Inventory
) -> list[Server]:
    """Return the servers whose deployment is selected completely.

    A server of the deployment that is not selected may still accept an old token, also one whose
    variables have errors.
    """
    names = {each.name for each in selected}
    if None in inventory.broken.values():
        return []  # a host whose deployment is not known could belong to any
    incomplete = {each.deployment for each in inventory.servers.values() if each.name not in names}
    incomplete |= {each for each in inventory.broken.values() if each}
    return [each for each in servers if each.deployment not in incomplete]

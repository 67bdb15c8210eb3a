"""`deliver`: set the tokens in force at their identity providers again, or only test them there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.fleet.look import Looked
from scimconf.fleet.watcher import Watcher
from scimconf.model import Outcome, Realm, Reference, Server, Status
from scimconf.plan.commands import as_typed, for_server
from scimconf.plan.delivery import foreign
from scimconf.run import changes, delivery
from scimconf.run.connect import connect
from scimconf.run.delivery import Delivery
from scimconf.run.options import ConnectionOptions, DeliveryOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import Start, start
from scimconf.run.which_realms import check_known, with_only
from scimconf.run.which_tokens import check_whole
from scimconf.sanitize import visible
from scimconf.tokens.references import SOURCES


@dataclass(frozen=True, slots=True)
class DeliverOptions:
    """The options of `deliver`."""

    source: SourceOptions
    pattern: tuple[str, ...]
    connection: ConnectionOptions
    delivery: DeliveryOptions
    yes: bool
    only_test: bool = False
    """Ask the identity providers to test the token that they have. Set nothing."""
    realms: tuple[str, ...] = ()
    writes: tuple[Path, ...] = ()


def deliver(options: DeliverOptions, person: Person) -> Result:
    """Deliver the tokens that the servers have in force.

    The steps: select the realms with `deliver`, compare their hosts with the operator's list, ask,
    observe the servers, set and test the tokens, and note in the token file what was delivered.
    Raises UsageError, Stopped.
    """
    begun = start(
        *(options.source, options.pattern, person, options.connection),
        writes=options.writes,
        delivery=options.delivery,
    )
    check_known(options.realms, begun)
    servers = _with_deliver(begun, options.realms)
    if not servers:
        limit, realms = options.source.limit, options.realms
        shown = as_typed("handoff", options.pattern, limit, realms, begun.words)
        raise UsageError(
            "no selected realm has deliver in the inventory, so a person enters its token",
            f"to print the values: {shown}",
        )
    check_whole(servers, begun.inventory)
    found = delivery.deliveries(servers)
    delivery.check_hosts(found, options.delivery, options.source)
    _ask(servers, found, options, person)
    result = _deliver(begun, servers, found, options, person)
    return replace(result, scope=begun.scope(options.realms))


def _with_deliver(begun: Start, realms: Collection[str]) -> list[Server]:
    """Return the servers with only the realms that have `deliver`."""
    return [
        with_only(server, chosen)
        for server in begun.servers
        if (
            chosen := tuple(
                realm
                for realm in server.realms
                if realm.deliver and realm.present and (not realms or realm.string_id in realms)
            )
        )
    ]


def _realm(one: Delivery) -> Realm:
    return next(each for each in one.server.realms if each.string_id == one.key[1])


def _ask(
    servers: Sequence[Server], found: Sequence[Delivery], options: DeliverOptions, person: Person
) -> None:
    if options.yes:
        return
    person.tell("This machine will:")
    for each in servers:
        for realm in each.realms:
            if isinstance(realm.token, Reference):
                about = SOURCES[realm.token.kind].describe(realm.token)
                person.tell(f"  {visible(about)}  (realm {realm.label} of {each.name})")
    for line in delivery.described(found, only_test=options.only_test):
        person.tell(f"  {line}")
    what = "Test the tokens there" if options.only_test else "Deliver the tokens in force"
    person.confirm(f"{what}?")


def _deliver(
    begun: Start,
    servers: Sequence[Server],
    found: Sequence[Delivery],
    options: DeliverOptions,
    person: Person,
) -> Result:
    keyring = begun.keyring()
    keyring.fetch(servers)
    tokens = keyring.tokens(servers)
    desired = [keyring.desired(server) for server in servers]
    of_server = delivery.by_server(found)
    with (
        connect(begun, options.connection, servers, person) as fleet,
        person.progress(steps=True) as watcher,
    ):
        looked = fleet.look(desired, watcher)

        def check(each: Looked, outcome: Outcome, watcher: Watcher) -> Outcome:
            mine = of_server.get(each.server.name, [])
            if each.observed is None:
                return outcome
            outcome = Outcome(each.server.name, Status.OK, seconds=outcome.seconds)
            if fleet.interrupted:
                message = "nothing was delivered, because the run was interrupted"
                return replace(outcome, status=Status.SKIPPED, message=message)
            watcher.step(each.server.name, "deliver", True)
            try:
                checks = []
                for one in mine:
                    if reason := foreign(_realm(one), each.observed):
                        checks.append(one.check("compare", "failed", reason))
                        continue
                    token = tokens[each.server.name].get(one.key[1])
                    if token is None or not delivery.in_force(one, looked):
                        hint = f"to see why: {for_server('plan', each.server)}"
                        message = "nothing was sent: the server does not have the wanted token"
                        checks.append(one.check("compare", "failed", message, hint))
                        continue
                    sent = None if options.only_test else token
                    note = delivery.begun(one, keyring, looked)
                    resume = sent is not None and delivery.is_paused(note)
                    steps = list(delivery.delivered(one, sent, resume=resume))
                    checks += steps
                    if sent and not any(step.result == "failed" for step in steps):
                        checks += delivery.forget(one, looked, fleet.note, watcher)
                done = Status.OK if options.only_test else Status.CHANGED
                return delivery.with_deliveries(outcome, checks, done, only_test=options.only_test)
            finally:
                watcher.done(each.server.name)

        outcomes = fleet.each(looked, [each.outcome for each in looked], check, watcher)
    again = as_typed("deliver", options.pattern, options.source.limit, options.realms, begun.words)
    sent = [] if options.only_test else found
    written = changes.noted(
        partial(delivery.note_delivered, keyring, sent, outcomes), person, again
    )
    return Result(
        "deliver",
        described(looked, outcomes),
        fleet.interrupted,
        not written,
        tokens=keyring.dates(servers),
    )

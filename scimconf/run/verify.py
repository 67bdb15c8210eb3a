"""`verify`: check the public SCIM URLs as the identity provider would. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from scimconf.fleet.look import judge
from scimconf.model import Outcome
from scimconf.plan.activity import with_status
from scimconf.run.connect import connect
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import start
from scimconf.run.wait import refuse_workers, waited
from scimconf.run.which_realms import narrowed


def verify(
    source: SourceOptions,
    pattern: Sequence[str],
    connection: ConnectionOptions,
    person: Person,
    writes: Sequence[Path] = (),
    realms: Collection[str] = (),
    minutes: int | None = None,
) -> Result:
    """Observe the servers, then check the public URL of each realm; of only `realms` if given.

    A token is sent only to a host that the server's settings name. `minutes`: how long to wait for
    the identity providers of verified servers; None: do not wait. Raises UsageError.
    """
    refuse_workers(connection, minutes)
    begun = start(source, pattern, person, connection, writes=writes, changes=False)
    servers = narrowed(begun, realms, person)
    keyring = begun.keyring()
    keyring.fetch(servers)
    tokens = keyring.tokens(servers)
    desired = [keyring.desired(server) for server in servers]
    with connect(begun, connection, servers, person) as fleet:
        with person.progress(steps=False) as watcher:
            looked = fleet.look(desired, watcher)
            outcomes = [_without_changes(each.outcome) for each in looked]
            outcomes = fleet.check(looked, outcomes, tokens, watcher)
        outcomes = waited(fleet, servers, outcomes, minutes, person)
    dates = keyring.dates(begun.servers)
    return Result(
        "verify",
        described(looked, [with_status(each) for each in outcomes]),
        fleet.interrupted,
        tokens=dates,
        scope=begun.scope(realms),
    )


def _without_changes(outcome: Outcome) -> Outcome:
    """Remove the changes of the plan from an outcome: verify is only about public URLs."""
    if outcome.plan is None:
        return outcome
    plan = replace(outcome.plan, actions=(), warnings=(), diff="", unmanaged=(), unproved=None)
    return replace(judge(outcome.server, plan), seconds=outcome.seconds)

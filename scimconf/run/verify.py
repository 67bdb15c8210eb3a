"""`verify`: check the public SCIM URLs as the identity provider would. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from scimconf.fleet.checks import TrialUser
from scimconf.fleet.look import judge
from scimconf.model import Outcome, Server
from scimconf.plan.activity import with_status
from scimconf.run.connect import connect
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import start
from scimconf.run.wait import refuse_workers, waited
from scimconf.run.which_realms import narrowed

_MOST_REALMS = 8
"""The most realms that the question about the test user names."""


def verify(
    source: SourceOptions,
    pattern: Sequence[str],
    connection: ConnectionOptions,
    person: Person,
    writes: Sequence[Path] = (),
    realms: Collection[str] = (),
    minutes: int | None = None,
    test_user: str | None = None,
    *,
    yes: bool = False,
) -> Result:
    """Observe the servers, then check the public URL of each realm; of only `realms` if given.

    A token is sent only to a host that the server's settings name. `minutes`: how long to wait for
    the identity providers of verified servers; None: do not wait. `test_user`: the email address
    of a user to create, change and deactivate in each realm; asks first, unless `yes`. Raises
    UsageError, Stopped.
    """
    refuse_workers(connection, minutes)
    begun = start(source, pattern, person, connection, writes=writes, changes=False)
    servers = narrowed(begun, realms, person)
    tried = _test_user(test_user, servers)
    if tried:
        _announce(tried, servers, person, yes=yes)
    keyring = begun.keyring()
    keyring.fetch(servers)
    tokens = keyring.tokens(servers)
    desired = [keyring.desired(server) for server in servers]
    with connect(begun, connection, servers, person) as fleet:
        with person.progress(steps=False) as watcher:
            looked = fleet.look(desired, watcher)
            outcomes = [_without_changes(each.outcome) for each in looked]
            outcomes = fleet.check(looked, outcomes, tokens, watcher, test_user=tried)
        outcomes = waited(fleet, servers, outcomes, minutes, person)
    dates = keyring.dates(begun.servers)
    return Result(
        "verify",
        described(looked, [with_status(each) for each in outcomes]),
        fleet.interrupted,
        tokens=dates,
        scope=begun.scope(realms),
    )


def _test_user(email: str | None, servers: Sequence[Server]) -> TrialUser | None:
    """Return the test user, with the first server of each deployment."""
    if email is None:
        return None
    first: dict[str, str] = {}
    for server in servers:
        if server.verify:
            first.setdefault(server.deployment, server.name)
    return TrialUser(email, frozenset(first.values()))


def _announce(tried: TrialUser, servers: Sequence[Server], person: Person, *, yes: bool) -> None:
    """Print what the test user leaves behind, and ask. Raises Stopped for a no."""
    realms = [
        f"realm {realm.label} of {server.name}"
        for server in servers
        if server.name in tried.servers
        for realm in server.realms
        if realm.present
    ]
    more = f" and {len(realms) - _MOST_REALMS} more" if len(realms) > _MOST_REALMS else ""
    said = (
        f"This creates the account {tried.email} in {', '.join(realms[:_MOST_REALMS])}{more}, "
        "renames it and deactivates it. Zulip deletes no account over SCIM: a deactivated account "
        "stays, and the next run uses it again."
    )
    if yes:
        person.tell(said)
    else:
        person.confirm(f"{said} Continue?")


def _without_changes(outcome: Outcome) -> Outcome:
    """Remove the changes of the plan from an outcome: verify is only about public URLs."""
    if outcome.plan is None:
        return outcome
    plan = replace(outcome.plan, actions=(), warnings=(), diff="", unmanaged=(), unproved=None)
    return replace(judge(outcome.server, plan), seconds=outcome.seconds)

"""`status`: what the servers have logged about the identity provider of each realm.

It needs no token and no vault password, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

from scimconf.fleet import status as of_server
from scimconf.model import Desired
from scimconf.plan.activity import with_silence
from scimconf.run.connect import connect
from scimconf.run.delivery import unfinished
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import start
from scimconf.run.which_realms import narrowed


def status(
    source: SourceOptions,
    pattern: Sequence[str],
    connection: ConnectionOptions,
    person: Person,
    silent_for: timedelta | None = None,
    writes: Sequence[Path] = (),
    realms: Collection[str] = (),
) -> Result:
    """Read the logs of the servers; of only `realms` if given. Raises UsageError.

    `silent_for`: an identity provider that is silent for longer needs attention; None: it does not.
    """
    begun = start(source, pattern, person, connection, writes=writes, changes=False)
    servers = narrowed(begun, realms, person)
    with (
        connect(begun, connection, servers, person) as fleet,
        person.progress(steps=False) as watcher,
    ):
        desired = [Desired(server, {}) for server in servers]
        looked = fleet.look(desired, watcher, look=of_server.look, step="read the log")
    limit = None if silent_for is None else silent_for.total_seconds()
    outcomes = with_silence([each.outcome for each in looked], servers, limit)
    return Result(
        "status",
        described(looked, outcomes),
        fleet.interrupted,
        next=tuple(unfinished(source, servers)),
        scope=begun.scope(realms),
    )

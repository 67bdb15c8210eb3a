"""Wait for the identity providers after a change, or for `verify` (--wait)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scimconf.errors import ExitCode, UsageError
from scimconf.fleet.fleet import Fleet
from scimconf.fleet.wait import wait, with_activity
from scimconf.model import Outcome, Server, Status
from scimconf.run.options import ConnectionOptions
from scimconf.run.person import Person

_READY = (Status.OK, Status.CHANGED)


def is_back(outcomes: Iterable[Outcome]) -> tuple[ExitCode, ...]:
    """Return the further exit codes of a change: one if an identity provider did not get in."""
    missing = any(each.needs_attention for outcome in outcomes for each in outcome.activity)
    return (ExitCode.PENDING,) if missing else ()


def refuse_workers(connection: ConnectionOptions, minutes: int | None) -> None:
    """Raise UsageError for --wait with --scheduler: workers keep no connection open."""
    if minutes is not None and connection.scheduler is not None:
        raise UsageError(
            "--wait and --scheduler exclude each other: workers keep no connection open",
            "leave out --wait; then run verify with --wait on a machine that reaches the servers",
        )


def waited(
    fleet: Fleet,
    servers: Sequence[Server],
    outcomes: Sequence[Outcome],
    minutes: int | None,
    person: Person,
) -> list[Outcome]:
    """Wait until the identity providers of the servers that are ready get in. None: do not wait."""
    ready = {each.server for each in outcomes if each.status in _READY}
    waiting = [each for each in servers if each.name in ready]
    if minutes is None or not waiting or fleet.interrupted:
        return list(outcomes)
    with person.progress(steps=True) as watcher:
        return with_activity(outcomes, wait(fleet, waiting, minutes * 60, watcher))

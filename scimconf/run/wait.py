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


def refuse_workers(connection: ConnectionOptions, *, wait: bool, test_user: bool = False) -> None:
    """Raise UsageError for --wait or --test-user with --scheduler.

    To wait, connections stay open. A test user is tried in several steps that Ctrl-C may end.
    """
    name = "--wait" if wait else "--test-user"
    if (wait or test_user) and connection.scheduler is not None:
        raise UsageError(
            f"{name} and --scheduler exclude each other: workers keep no connection open",
            f"leave out {name}; then run verify with {name} on a machine that reaches the servers",
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

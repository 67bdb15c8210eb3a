"""Wait until the identity providers get in (--wait). The servers' logs say whether they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from scimconf.activity import Activity, Seen, SeenRequest, ServerLog
from scimconf.errors import ScimconfError
from scimconf.fleet.observe import Agent
from scimconf.fleet.status import ask
from scimconf.fleet.watcher import Watcher
from scimconf.model import Outcome, Server
from scimconf.plan.activity import DAY, judge
from scimconf.plan.commands import for_realm
from scimconf.plan.waiting import back, is_in, names, not_back
from scimconf.sanitize import one_line

PAUSE = 2.0
"""Seconds between two looks at a log."""

Answer = TypeVar("Answer")


class Servers(Protocol):
    """What `Fleet` offers for waiting."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        ...

    def ask(
        self, servers: Sequence[Server], question: Callable[[Agent, Server], Answer]
    ) -> list[Answer | ScimconfError | None]:
        """Ask the servers at the same time. None: Ctrl-C was pressed before."""
        ...

    def interruptible(self) -> AbstractContextManager[None]:
        """Let the first Ctrl-C during `with` only set `interrupted`."""
        ...

    def pause(self, seconds: float) -> bool:
        """Wait; return False if Ctrl-C ended the wait."""
        ...


@dataclass
class _Wait:
    """What is known of one server while the run waits for its realms."""

    server: Server
    realms: set[str]
    """The realms whose identity provider has not got in."""
    before: ServerLog | None = None
    """The log when the run began to wait."""
    since: float | None = None
    """By the server's clock: a good request after this moment is waited for."""
    last: Mapping[str, Activity] = field(default_factory=dict)
    trouble: str = ""
    """The last error."""
    found: dict[str, Activity] = field(default_factory=dict)


def wait(
    fleet: Servers,
    servers: Sequence[Server],
    seconds: float,
    watcher: Watcher,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, tuple[Activity, ...]]:
    """Wait at most `seconds`. Return the state of each realm, by server.

    The servers of a deployment share their realms: if one of them accepts a request, the realm's
    identity provider gets in.
    """
    with fleet.interruptible():
        return _wait(fleet, servers, seconds, watcher, clock)


def _wait(
    fleet: Servers,
    servers: Sequence[Server],
    seconds: float,
    watcher: Watcher,
    clock: Callable[[], float],
) -> dict[str, tuple[Activity, ...]]:
    begun = clock()
    waits = [_Wait(each, {r.string_id for r in each.realms if r.present}) for each in servers]
    shown: dict[str, set[str]] = {}
    while open_waits := [each for each in waits if each.realms]:
        _show(open_waits, shown, watcher)
        answers = fleet.ask([each.server for each in open_waits], _question(open_waits))
        for each, answer in zip(open_waits, answers, strict=True):
            if isinstance(answer, ScimconfError):
                each.trouble = one_line(answer.message, 200)
        _share(waits)
        left = seconds - (clock() - begun)
        done = not any(each.realms for each in waits)
        if done or left <= 0 or fleet.interrupted or not fleet.pause(min(PAUSE, left)):
            break
    waited = clock() - begun
    for each in waits:
        watcher.done(each.server.name)
        why = "interrupted" if fleet.interrupted else each.trouble
        for realm in each.realms:
            again = for_realm("status", each.server, realm)
            each.found[realm] = not_back(realm, each.last.get(realm), waited, why, again)
    return {
        each.server.name: tuple(
            each.found[realm.string_id] for realm in each.server.realms if realm.present
        )
        for each in waits
    }


def _show(waits: Sequence[_Wait], shown: dict[str, set[str]], watcher: Watcher) -> None:
    """Show who is waited for, if that has changed."""
    for each in waits:
        if shown.get(each.server.name) != each.realms:
            shown[each.server.name] = set(each.realms)
            text = f"wait: waiting for the identity provider of {names(each.realms)}"
            watcher.step(each.server.name, text, True)


def _question(waits: Sequence[_Wait]) -> Callable[[Agent, Server], None]:
    by_name = {each.server.name: each for each in waits}
    return lambda agent, server: _look(agent, by_name[server.name])


def _look(agent: Agent, each: _Wait) -> None:
    """Look at a server's log, and note who has got in. Raises HostError."""
    if each.before is None:
        _look_first(agent, each)
        return
    log = ask(agent, each.server, each.since)
    each.trouble = ""
    for realm, first, seen in _good(each, log):
        each.found[realm] = back(realm, each.before, first, seen, log.now)
    each.realms -= {*each.found}


def _look_first(agent: Agent, each: _Wait) -> None:
    """Look at the whole log: who got in after the last change need not be waited for."""
    log = each.before = ask(agent, each.server)
    each.last = {found.realm: found for found in judge(each.server, log)}
    each.since = log.now
    already = {realm for realm in each.realms if is_in(realm, log)}
    if not already:
        return
    recent = log.changed is not None and log.changed > log.now - DAY
    later = ask(agent, each.server, log.changed) if recent else log
    for realm in already:
        seen = later.realms.get(realm, Seen())
        first = (seen.first if recent else None) or log.realms[realm].accepted
        if first:
            each.found[realm] = back(realm, log, first, seen if recent else Seen(), log.now)
    each.realms -= already


def _good(each: _Wait, log: ServerLog) -> Iterator[tuple[str, SeenRequest, Seen]]:
    for realm in each.realms:
        seen = log.realms.get(realm)
        if seen and seen.first and seen.failing_since is None:
            yield realm, seen.first, seen


def _share(waits: Sequence[_Wait]) -> None:
    """Note for all servers of a deployment who has got in on one of them."""
    for each in waits:
        for other in waits:
            if other.server.deployment == each.server.deployment:
                for realm in other.realms & {*each.found}:
                    other.found[realm] = each.found[realm]
                other.realms -= {*each.found}


def with_activity(
    outcomes: Sequence[Outcome], found: Mapping[str, tuple[Activity, ...]]
) -> list[Outcome]:
    """Return the outcomes with what the run has waited for."""
    return [replace(each, activity=found.get(each.server, each.activity)) for each in outcomes]

"""Report what Zulip's log says of each realm's identity provider. Only `status` loads this module.

Only numbers, times and fixed words leave the server: no address, no user agent, and no more of a
path than its resource, because the rest may name a person.
"""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from scimconf.agent import files, last_run, paths, shell
from scimconf.agent.errors import AgentError
from scimconf.agent.server_log import Log, Request, hashed

HOUR, DAY = 3600.0, 86400.0
_AHEAD = 60.0
"""Seconds that a line may be ahead of the clock. A line of the future is not believed."""
_OURS = hashed(b"scimconf")
"""The name of our own requests in the log."""
_MOST_PROGRAMS = 20_000
"""The most programs per realm whose refused requests are counted each."""
_USUAL_LOG = "/var/log/zulip/server.log"

_FIND = f"""
from django.conf import settings
from zerver.models import Realm
found = Realm.objects.filter(string_id__in=argument).values_list("string_id", "id")
answer = {{"ids": dict(found), "log": getattr(settings, "SERVER_LOG_PATH", {_USUAL_LOG!r})}}
"""

Facts = Dict[str, Any]


def status(plain: Mapping[str, Any]) -> Facts:
    """Answer a request for the status (docs/agent.md). Raises AgentError.

    With `since`, only later requests count, and the log is read back to that time only.
    """
    where = paths.read(plain)
    wanted, since = _wanted(plain)
    ids, path = _found(where.deployment, wanted)
    now = time.time()
    log = Log(path)
    seen = {realm: Seen(now, since) for realm in ids}
    by_id = {number: realm for realm, number in ids.items()}

    def enough(oldest: float) -> bool:
        if since is not None:
            return oldest < since
        return oldest < now - DAY and all(each.accepted for each in seen.values())

    for found in log.requests(enough):
        realm = by_id.get(found.realm_id) if found.realm_id is not None else found.realm
        if realm in seen and found.at <= now + _AHEAD:
            seen[realm].add(found)
    return {
        "final": True,
        "result": "status",
        "now": now,
        "oldest": log.oldest,
        "complete": log.complete,
        "skew": log.skew(),
        "changed": _last_change(where.deployment),
        "realms": {realm: each.facts() for realm, each in seen.items()},
    }


def _wanted(plain: Mapping[str, Any]) -> Tuple[Tuple[str, ...], Optional[float]]:
    try:
        since = plain.get("since")
        return tuple(str(each) for each in plain["realms"]), None if since is None else float(since)
    except (LookupError, TypeError, ValueError):
        raise AgentError("the request has no realms", "please report this as a bug") from None


@functools.lru_cache(maxsize=4)
def _found(deployment: str, realms: Tuple[str, ...]) -> Tuple[Mapping[str, int], str]:
    """Return the ids of the realms that exist, and the path of the log.

    While a run waits, it asks again every few seconds, so Zulip is asked only once.
    """
    answer = shell.ask(deployment, _FIND, list(realms))
    return answer["ids"], answer["log"]


def _last_change(deployment: str) -> Optional[float]:
    """Return when scimconf's last transaction on this server ended; None: there was none."""
    try:
        return os.stat(last_run.path(files.state_folder(deployment))).st_mtime
    except OSError:
        return None


class Seen:
    """What the log says of the identity provider of one realm."""

    def __init__(self, now: float, since: Optional[float]) -> None:
        """`since`: earlier requests do not count; None: all count."""
        self._now, self._since = now, since
        self.accepted: Optional[Request] = None
        """The last request that got a good answer."""
        self._first: Optional[Request] = None
        self._known: Set[bytes] = set()
        """The programs that have sent a right token."""
        self._own = _Group()
        """Requests with a right token."""
        self._refused: Dict[bytes, _Group] = {}
        """Requests without it, by program."""
        self._rest = _Group()

    def add(self, found: Request) -> None:
        """Count a request. The newest one comes first."""
        if found.program == _OURS or (self._since is not None and found.at <= self._since):
            return
        age = self._now - found.at
        if found.realm_id is not None:
            self._known.add(found.program)
            is_good = found.status < 500 or found.status == 501
            self._own.count(found, age)
            if is_good:
                self.accepted = self.accepted or found
                self._first = found
            else:
                self._own.fail(found, before=self.accepted is None)
            return
        group = self._refused.get(found.program)
        if group is None:
            has_room = len(self._refused) < _MOST_PROGRAMS
            group = self._refused.setdefault(found.program, _Group()) if has_room else self._rest
        group.count(found, age)
        group.fail(found, before=self.accepted is None)

    def facts(self) -> Facts:
        """Return the facts for the controller.

        A program that never sent a right token is a stranger, such as a scanner.
        """
        known = [self._own, *(self._refused[each] for each in self._known & {*self._refused})]
        others = [group for name, group in self._refused.items() if name not in self._known]
        failed, strangers = _together(known), _together([*others, self._rest])
        return {
            "accepted": _shown(self.accepted),
            "first": _shown(self._first),
            "refused": _shown(failed.last),
            "failing": {"since": failed.since, "requests": failed.number}
            if failed.number
            else None,
            "hour": dict(failed.hour),
            "day": dict(failed.day),
            "strangers": {
                "last": _shown(strangers.last),
                "hour": sum(strangers.hour.values()),
                "day": sum(strangers.day.values()),
            },
        }


class _Group:
    """Some requests: how many, and which failed."""

    def __init__(self) -> None:
        self.hour: Counter[str] = Counter()
        self.day: Counter[str] = Counter()
        self.last: Optional[Request] = None
        """The last request that failed."""
        self.since: Optional[float] = None
        """When the first one failed after the last good answer."""
        self.number = 0
        """How many failed after it."""

    def count(self, found: Request, age: float) -> None:
        """Count a request in the last hour and the last day."""
        if age <= HOUR:
            self.hour[str(found.status)] += 1
        if age <= DAY:
            self.day[str(found.status)] += 1

    def fail(self, found: Request, *, before: bool) -> None:
        """Note a request that failed. `before`: no good answer came after it."""
        self.last = self.last or found
        if before:
            self.since = found.at if self.since is None else min(self.since, found.at)
            self.number += 1


def _together(groups: Iterable[_Group]) -> _Group:
    whole = _Group()
    for each in groups:
        whole.hour += each.hour
        whole.day += each.day
        whole.number += each.number
        if each.last and (whole.last is None or each.last.at > whole.last.at):
            whole.last = each.last
        times: List[float] = [at for at in (whole.since, each.since) if at is not None]
        whole.since = min(times) if times else None
    return whole


def _shown(found: Optional[Request]) -> Optional[Facts]:
    if found is None:
        return None
    what = f"{found.method} {found.resource}" if found.resource else found.method
    return {"at": found.at, "status": found.status, "request": what}

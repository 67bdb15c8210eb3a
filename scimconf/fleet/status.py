"""Ask a server what it has logged about the identity providers of its realms. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scimconf.activity import Seen, SeenRequest, ServerLog
from scimconf.errors import HostError
from scimconf.fleet.observe import Agent, Facts, final, paths
from scimconf.model import Desired, Observed, Outcome, Server, Status
from scimconf.plan.activity import duration, judge, with_status

_STEP = "status"
_SKEW = 600.0
"""Seconds. The newest line may be older than the file, because Zulip also writes other lines."""
_MOST = 1e11
"""Seconds since 1970: a time that a report can still write."""
_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)
_PATIENCE = 180.0
"""Seconds for the answer: manage.py takes up to 120 s on a busy server, and reading the log 10."""


def look(agent: Agent, desired: Desired) -> tuple[Outcome, Observed | None]:
    """Return the outcome of `status` for one server. Raises HostError."""
    server = desired.server
    log = ask(agent, server)
    activity = tuple(judge(server, log))
    return with_status(Outcome(server.name, Status.OK, activity=activity)), None


def ask(agent: Agent, server: Server, since: float | None = None) -> ServerLog:
    """Return what the server has logged, after `since` only if it is given. Raises HostError."""
    names = [realm.string_id for realm in server.realms if realm.present]
    request = {"do": "status", "paths": paths(server.paths), "realms": names, "since": since}
    return parse(Facts(final(agent.ask(request, _PATIENCE), _STEP), _STEP), names)


def parse(facts: Facts, names: Iterable[str]) -> ServerLog:
    """Build a ServerLog from the agent's final message. Raises HostError."""
    now, skew = _number(facts, "now"), _number(facts, "skew", least=-_MOST)
    if abs(skew) > _SKEW:
        way = "after" if skew > 0 else "before"
        raise HostError(
            _STEP,
            f"the newest line of server.log is dated {duration(abs(skew))} {way} the time when it "
            "was written",
            "set TIME_ZONE of Zulip to UTC, or wait until new lines follow a change of the clock",
        )
    found = facts.map("realms", dict)
    return ServerLog(
        now=now,
        oldest=_number(facts, "oldest") if facts.values.get("oldest") is not None else None,
        complete=facts.get("complete", bool),
        changed=_number(facts, "changed") if facts.values.get("changed") is not None else None,
        realms={
            name: _seen(Facts(found[name], f"{_STEP} realms.{name}"))
            for name in names
            if name in found
        },
    )


def _seen(facts: Facts) -> Seen:
    failing = facts.get("failing", dict, None)
    fails = None if failing is None else Facts(failing, f"{facts.where} failing")
    strangers = Facts(facts.get("strangers", dict), f"{facts.where} strangers")
    return Seen(
        accepted=_request(facts, "accepted"),
        first=_request(facts, "first"),
        refused=_request(facts, "refused"),
        failing_since=None if fails is None else _number(fails, "since"),
        failing=0 if fails is None else _count(fails, "requests"),
        hour=_counts(facts, "hour"),
        day=_counts(facts, "day"),
        stranger=_request(strangers, "last"),
        strangers_hour=_count(strangers, "hour"),
        strangers_day=_count(strangers, "day"),
    )


def _request(facts: Facts, name: str) -> SeenRequest | None:
    found = facts.get(name, dict, None)
    if found is None:
        return None
    one = Facts(found, f"{facts.where} {name}")
    status, request = one.get("status", int), one.get("request", str)
    if not 100 <= status <= 599 or len(request) > 60:
        raise facts.nonsense(name)
    return SeenRequest(_number(one, "at"), status, request)


def _counts(facts: Facts, name: str) -> dict[int, int]:
    found = facts.map(name, int)
    known = all(_STATUS.fullmatch(key) and 0 <= number < 2**53 for key, number in found.items())
    if not known or any(isinstance(number, bool) for number in found.values()):
        raise facts.nonsense(name)
    return {int(key): found[key] for key in sorted(found)}


def _number(facts: Facts, name: str, *, least: float = 0) -> float:
    """Return a time or a duration in seconds: a finite number of a plausible size."""
    value = facts.values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < _MOST:
        raise facts.nonsense(name)
    return float(value)


def _count(facts: Facts, name: str) -> int:
    value = facts.get(name, int)
    if not 0 <= value < 2**53:
        raise facts.nonsense(name)
    return value

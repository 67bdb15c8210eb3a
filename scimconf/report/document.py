"""The JSON report of a run (docs/json.md): stable, versioned, and without tokens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone

from scimconf import __version__
from scimconf.activity import Activity, SeenRequest
from scimconf.errors import ExitCode
from scimconf.model import UNKNOWN_SCOPE, Check, Outcome, Scope

SCHEMA = 1
"""Increased when a field disappears or changes its meaning, not for new fields."""


def pieces(
    verb: str,
    outcomes: Sequence[Outcome],
    code: ExitCode,
    notes: Sequence[str] = (),
    shard: Mapping[str, int] | None = None,
    scope: Scope = UNKNOWN_SCOPE,
) -> Iterator[str]:
    """Yield the text of the document, server by server: the whole text can need gigabytes.

    `shard`: {"index": I, "count": N}.
    """
    head = {
        "schema": SCHEMA,
        "scimconf": __version__,
        "verb": verb,
        "exit_code": int(code),
        "summary": dict(Counter(outcome.status.value for outcome in outcomes)),
        "shard": shard,
        "scope": {"fleet": scope.fleet, "realms": list(scope.realms)},
        "notes": list(notes),
    }
    start, end = json.dumps({**head, "servers": [{}]}, indent=2).rsplit("{}", 1)
    for outcome in outcomes:
        yield start + json.dumps(_server(outcome), indent=2).replace("\n", "\n    ")
        start = ",\n    "
    yield end if outcomes else json.dumps({**head, "servers": []}, indent=2)


def _server(outcome: Outcome) -> Mapping[str, object]:
    plan = outcome.plan
    return {
        "server": outcome.server,
        "status": outcome.status.value,
        "message": outcome.message,
        "hint": outcome.hint,
        "verified": outcome.verified,
        "zulip_version": (plan.version if plan else None) or None,
        "actions": [
            {"kind": action.kind.value, "realm": action.realm, "text": action.text}
            for action in (plan.actions if plan else ())
        ],
        "unmanaged": [
            {"realm": each.realm, "place": str(each.position), "text": each.text}
            for each in (plan.unmanaged if plan else ())
        ],
        "diff": plan.diff if plan else "",
        "warnings": [warning.text for warning in outcome.warnings],
        "warning_ids": [warning.id for warning in outcome.warnings],
        "silenced": list(outcome.silenced),
        "steps": [
            {
                "name": step.name,
                "ok": step.ok,
                "seconds": round(step.seconds, 3),
                "detail": step.detail,
            }
            for step in outcome.steps
        ],
        "checks": [_check(check) for check in outcome.checks],
        "activity": [_activity(each) for each in outcome.activity],
        "way": [
            {"what": fact.what, "value": fact.value, "from": fact.source, "bound": fact.bound}
            for fact in outcome.way
        ],
        "seconds": round(outcome.seconds, 3),
    }


def _check(check: Check) -> Mapping[str, object]:
    return {
        "realm": check.realm,
        "name": check.name,
        "result": check.result,
        "http_status": check.status,
        "message": check.message,
        "hint": check.hint,
    }


def _activity(each: Activity) -> Mapping[str, object]:
    seen = each.seen
    return {
        "realm": each.realm,
        "state": each.state.value,
        "message": each.message,
        "hint": each.hint,
        "details": each.details,
        "now": utc(each.now),
        "last_accepted": _request(seen.accepted),
        "last_refused": _request(seen.refused),
        "failing_since": utc(seen.failing_since) if seen.failing_since is not None else None,
        "failing_requests": seen.failing,
        "hour": {str(status): number for status, number in seen.hour.items()},
        "day": {str(status): number for status, number in seen.day.items()},
        "other_programs": {
            "last": _request(seen.stranger),
            "hour": seen.strangers_hour,
            "day": seen.strangers_day,
        },
    }


def _request(seen: SeenRequest | None) -> Mapping[str, object] | None:
    if seen is None:
        return None
    return {"at": utc(seen.at), "http_status": seen.status, "request": seen.request}


def utc(at: float) -> str:
    """Return a time as the reports write it: `2026-06-01T10:00:00Z`."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

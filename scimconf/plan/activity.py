"""Judge what a server has logged about the identity providers of its realms. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from scimconf.activity import Activity, Seen, SeenRequest, ServerLog, State
from scimconf.model import Outcome, Realm, Server, Status
from scimconf.plan.commands import for_realm
from scimconf.zulip.answers import explain

DAY = 86400.0


def judge(server: Server, log: ServerLog) -> Iterator[Activity]:
    """Yield the state of each present realm."""
    for realm in server.realms:
        if realm.present:
            seen = log.realms.get(realm.string_id)
            yield _missing(realm, server) if seen is None else _activity(server, realm, seen, log)


def _missing(realm: Realm, server: Server) -> Activity:
    hint = "create it first, or correct the realm's name in the inventory"
    return Activity(realm.string_id, State.MISSING, "this Zulip has no such organisation", hint)


def _activity(server: Server, realm: Realm, seen: Seen, log: ServerLog) -> Activity:
    now = log.now
    if seen.failing_since is not None and seen.refused is not None:
        state, hint = State.FAILING, _why(server, realm, seen.refused.status)
        first = (
            f"requests have failed since {moment(seen.failing_since)} "
            f"({duration(now - seen.failing_since)}): {_count(seen.failing)}, the last one "
            f"{_request(seen.refused, now)}"
        )
    elif seen.accepted is None:
        state, hint = State.UNSEEN, ""
        first = "the log has no accepted request"
        if seen.stranger:
            hint = (
                "the refused requests may be the identity provider's, with a wrong token; to check "
                f"the server: {for_realm('verify', server, realm.string_id)}"
            )
    else:
        state, hint = State.OK, ""
        first = ""
    parts = [
        first,
        f"last accepted {_request(seen.accepted, now)}" if seen.accepted else "",
        f"last refused {_request(seen.refused, now)}" if seen.refused and not hint else "",
    ]
    is_known = bool(seen.accepted or seen.refused)
    details = [
        f"last hour: {_counts(seen.hour)}" if is_known else "",
        f"last day: {_counts(seen.day)}" if is_known else "",
        _strangers(seen, now),
        _read_back_to(log, seen),
    ]
    return Activity(realm.string_id, state, _joined(parts), hint, seen, _joined(details), now)


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(filter(None, parts))


def _why(server: Server, realm: Realm, status: int) -> str:
    if status == 401:
        sheet = for_realm("handoff --show-tokens", server, realm.string_id)
        verify = for_realm("verify", server, realm.string_id)
        how = f"to print the token for the identity provider: {sheet}"
        if realm.deliver:
            how = f"to deliver the token again: {for_realm('deliver', server, realm.string_id)}"
        return (
            f"the identity provider has another token than Zulip; to check Zulip: {verify}; {how}"
        )
    meaning, hint = explain(status)
    return f"{meaning}: {hint}"


def _request(seen: SeenRequest, now: float) -> str:
    ago = f"{duration(now - seen.at)} ago"
    return f"{ago}, {moment(seen.at)} ({seen.request}, HTTP {seen.status})"


def _counts(by_status: Mapping[int, int]) -> str:
    total = sum(by_status.values())
    if not total:
        return "no request"
    each = ", ".join(f"{number} with {status}" for status, number in sorted(by_status.items()))
    return f"{_count(total)} ({each})"


def _count(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def _strangers(seen: Seen, now: float) -> str:
    if not seen.stranger:
        return ""
    last = duration(now - seen.stranger.at)
    return (
        f"refused from other programs, such as scanners: {_count(seen.strangers_day)} in the last "
        f"day, the last one {last} ago"
    )


def _read_back_to(log: ServerLog, seen: Seen) -> str:
    """Return how far back the log was read, if that limits the answer; else ""."""
    if log.oldest is None:
        return "the log is empty"
    is_short = seen.accepted is None or log.oldest > log.now - DAY
    if not is_short:
        return ""
    reason = "goes" if log.complete else "was read"
    return f"the log {reason} back to {moment(log.oldest)}"


def moment(at: float) -> str:
    """Return a time in UTC: `2026-11-28 17:02:36 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: "3 h 5 min"."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])


# --- silence ------------------------------------------------------------------------------------


def with_silence(
    outcomes: Sequence[Outcome], servers: Sequence[Server], limit: float | None
) -> list[Outcome]:
    """Return the outcomes, with identity providers that are silent for longer than `limit` seconds.

    The servers of a deployment share their realms, and a request reaches one of them. So a realm is
    silent only if none of them has accepted a request.
    """
    if limit is None:
        return list(outcomes)
    deployments = {server.name: server.deployment for server in servers}
    quiet: dict[tuple[str, str], float] = {}
    for outcome in outcomes:
        for each in outcome.activity:
            key = (deployments[outcome.server], each.realm)
            last = each.seen.accepted
            seconds = each.now - last.at if last else float("inf")
            quiet[key] = min(seconds, quiet.get(key, float("inf")))
    return [
        with_status(
            replace(
                outcome,
                activity=tuple(
                    _silent(each, limit)
                    if not each.needs_attention
                    and quiet[deployments[outcome.server], each.realm] > limit
                    else each
                    for each in outcome.activity
                ),
            )
        )
        for outcome in outcomes
    ]


def _silent(each: Activity, limit: float) -> Activity:
    message = f"no request was accepted for longer than {duration(limit)}: {each.message}"
    hint = each.hint or "check in the identity provider whether provisioning is on"
    return replace(each, state=State.SILENT, message=message, hint=hint)


def with_status(outcome: Outcome) -> Outcome:
    """Return the outcome with the status that follows from its activity."""
    if outcome.status is not Status.OK:
        return outcome
    attention = any(each.needs_attention for each in outcome.activity)
    return replace(outcome, status=Status.ATTENTION) if attention else outcome

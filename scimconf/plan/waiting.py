"""Judge, while a run waits, whether an identity provider gets in again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scimconf.activity import Activity, Seen, SeenRequest, ServerLog, State
from scimconf.plan.activity import duration, moment


def is_in(realm: str, log: ServerLog) -> bool:
    """Return whether the identity provider has got in since the last change, and still does."""
    seen = log.realms.get(realm)
    if seen is None or seen.accepted is None or seen.failing_since is not None:
        return False
    return log.changed is None or seen.accepted.at > log.changed


def back(realm: str, before: ServerLog, first: SeenRequest, later: Seen, now: float) -> Activity:
    """Return the state of an identity provider that gets in.

    `before`: the log when the run began to wait. `first`: the first good request. `later`: what was
    logged since the change, or since the run began to wait.
    """
    old = before.realms.get(realm)
    began = old.failing_since if old and old.failing_since is not None else before.changed
    refused = _refused(later) + (old.failing if old and began != before.changed else 0)
    out = ""
    if began is not None and first.at > began:
        what = "after the change" if began == before.changed else "after requests began to fail"
        count = {0: "no request was", 1: "1 request was"}.get(refused, f"{refused} requests were")
        out = f", {duration(first.at - began)} {what}; {count} refused in that time"
    message = (
        f"the identity provider got in at {moment(first.at)} ({first.request}, HTTP "
        f"{first.status}){out}"
    )
    return Activity(realm, State.OK, message, "", later, "", now)


def _refused(seen: Seen) -> int:
    return sum(
        number
        for status, number in seen.day.items()
        if status in (401, 403) or (status >= 500 and status != 501)
    )


def not_back(realm: str, last: Activity | None, waited: float, why: str, again: str) -> Activity:
    """Return the state of an identity provider that did not get in within `waited` seconds.

    `last`: its state when it was last looked at; None: the server did not answer. `why`: an
    interruption, or the last error of the server; "" if there is none. `again`: the command that
    shows its state.
    """
    message = f"no good request of the identity provider in {duration(waited)}"
    if why:
        message = f"{message} ({why})"
    if last is None:
        return Activity(realm, State.NOT_BACK, message, f"to look again: {again}")
    hint = last.hint or (
        "to make it send a request at once, use the connection test in its console; to look again: "
        f"{again}"
    )
    return replace(last, state=State.NOT_BACK, message=f"{message}: {last.message}", hint=hint)


def names(realms: Iterable[str]) -> str:
    """Return the realms for the progress."""
    return ", ".join(sorted(realm or "(root)" for realm in realms))

"""The words for each status, and the order of attention: the same in every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from scimconf.model import Outcome, Status

ATTENTION = (
    Status.ROLL_BACK_FAILED,
    Status.SPLIT,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.UNREACHABLE,
    Status.BUSY,
    Status.SKIPPED,
    Status.ATTENTION,
    Status.PENDING,
    Status.CHANGED,
    Status.OK,
)
"""Every status, the most urgent first."""

_WORDS = {
    ("plan", Status.OK): "nothing to do",
    ("plan", Status.PENDING): "to change",
    ("apply", Status.OK): "nothing to do",
    ("verify", Status.OK): "verified",
    ("deliver", Status.OK): "tested",
    ("deliver", Status.CHANGED): "delivered",
    ("undo", Status.OK): "nothing to undo",
    ("undo", Status.PENDING): "to undo",
    ("undo", Status.CHANGED): "undone",
    ("recover", Status.OK): "nothing to recover",
    ("recover", Status.PENDING): "to recover",
    ("recover", Status.CHANGED): "recovered",
    ("import", Status.OK): "imported",
    ("import", Status.PENDING): "imported, to change",
}


def words(verb: str, status: Status) -> str:
    """Return the status in the words of the verb: an `ok` plan is "nothing to do"."""
    return _WORDS.get((verb, status), status.value)


def phrase(verb: str, outcome: Outcome) -> str:
    """Return one server's result: "changed, not verified from outside, with an unmanaged realm"."""
    return ", ".join((base(verb, outcome), *_remarks(outcome)))


def totals(verb: str, outcomes: Sequence[Outcome]) -> str:
    """Return the number of servers by result, each remark once for the whole run.

    "3 servers: 1 failed, 2 changed; 1 of them with an unmanaged realm".
    """
    if not outcomes:
        return "no server"
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status))
    counts = Counter(base(verb, outcome) for outcome in by_attention)
    remarks = Counter(said for outcome in outcomes for said in _remarks(outcome))
    servers = "1 server" if len(outcomes) == 1 else f"{len(outcomes)} servers"
    results = ", ".join(f"{count} {name}" for name, count in counts.items())
    parts = [f"{servers}: {results}", *(f"{n} of them {said}" for said, n in remarks.items())]
    hidden = silenced(outcomes)
    return "; ".join([*parts, hidden] if hidden else parts)


def silenced(outcomes: Sequence[Outcome]) -> str:
    """Return the number of silenced warnings: "2 warnings silenced"; "" if there are none."""
    count = sum(len(outcome.silenced) for outcome in outcomes)
    return f"{count} warning{'' if count == 1 else 's'} silenced" if count else ""


def base(verb: str, outcome: Outcome) -> str:
    """Return one server's result without remarks; the summary counts equal ones together."""
    if verb == "verify" and outcome.status is Status.OK and outcome.verified == "not asked":
        return "not asked"
    return words(verb, Status.OK if outcome.only_unmanaged else outcome.status)


def _remarks(outcome: Outcome) -> Iterator[str]:
    if outcome.status is Status.CHANGED and outcome.verified == "no":
        yield "not verified from outside"
    if outcome.status is Status.CHANGED and any(each.needs_attention for each in outcome.activity):
        yield "identity provider not back"
    if outcome.plan and outcome.plan.unmanaged:
        yield "with an unmanaged realm"

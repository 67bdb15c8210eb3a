"""What each status is called, and which needs attention first: the same in every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from scimconf.model import Outcome, Status

ATTENTION = (
    Status.ROLL_BACK_FAILED,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.UNREACHABLE,
    Status.BUSY,
    Status.SKIPPED,
    Status.PENDING,
    Status.CHANGED,
    Status.OK,
)
"""Every status; what somebody has to look at first stands first."""

_WORDS = {
    ("plan", Status.OK): "nothing to do",
    ("plan", Status.PENDING): "to change",
    ("apply", Status.OK): "nothing to do",
    ("verify", Status.OK): "verified",
    ("undo", Status.OK): "nothing to undo",
    ("undo", Status.PENDING): "to put back",
    ("undo", Status.CHANGED): "put back",
    ("recover", Status.OK): "nothing to recover",
    ("recover", Status.PENDING): "to put back",
    ("recover", Status.CHANGED): "put back",
    ("import", Status.OK): "imported",
    ("import", Status.PENDING): "imported, to change",
}


def words(verb: str, status: Status) -> str:
    """Return the status in the words of the verb: an `ok` plan is "nothing to do"."""
    return _WORDS.get((verb, status), status.value)


def phrase(verb: str, outcome: Outcome) -> str:
    """Return how one server stands: "changed, not verified from outside, unmanaged realm"."""
    return ", ".join((base(verb, outcome), *_remarks(outcome)))


def totals(verb: str, outcomes: Sequence[Outcome]) -> str:
    """Return how many servers there are and how they stand: "3 servers: 1 failed, 2 changed"."""
    counts: Counter[str] = Counter()
    remarks: dict[str, Counter[str]] = {}
    for outcome in sorted(outcomes, key=lambda each: ATTENTION.index(each.status)):
        name = base(verb, outcome)
        counts[name] += 1
        remarks.setdefault(name, Counter()).update(_remarks(outcome))
    parts = []
    for name, count in counts.items():
        parts.append(f"{count} {name}")
        parts += [f"{number} of them {said}" for said, number in remarks[name].items()]
    servers = "1 server" if len(outcomes) == 1 else f"{len(outcomes)} servers"
    return f"{servers}: {', '.join(parts)}" if parts else "no server"


def base(verb: str, outcome: Outcome) -> str:
    """Return how one server stands but for remarks: what is counted together."""
    if verb == "verify" and outcome.status is Status.OK and outcome.verified == "not asked":
        return "not asked"
    return words(verb, Status.OK if outcome.only_unmanaged else outcome.status)


def _remarks(outcome: Outcome) -> Iterator[str]:
    if outcome.status is Status.CHANGED and outcome.verified == "no":
        yield "not verified from outside"
    if outcome.plan and outcome.plan.unmanaged:
        yield "with an unmanaged realm"

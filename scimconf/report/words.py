"""What each status is called, and which needs attention first: the same in every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scimconf.model import Outcome, Status

ATTENTION = (
    Status.ROLL_BACK_FAILED,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.UNREACHABLE,
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
    """Give the status in the words of the verb: an `ok` plan is "nothing to do"."""
    return _WORDS.get((verb, status), status.value)


def totals(verb: str, outcomes: Sequence[Outcome]) -> str:
    """Give how many servers there are and how they stand: "3 servers: 1 failed, 2 changed"."""
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{counts[status]} {words(verb, status)}" for status in ATTENTION if counts[status]]
    servers = "1 server" if len(outcomes) == 1 else f"{len(outcomes)} servers"
    return f"{servers}: {', '.join(parts)}" if parts else "no server"

"""Report outcomes as one HTML file, for people who were not at the terminal (docs/report.md).

The content is that of the other reports; `templates/report/` has the layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from scimconf import __version__
from scimconf.errors import ExitCode
from scimconf.model import Outcome, Status, Step
from scimconf.report.lines import UNMANAGED_HINT, way_text
from scimconf.report.words import ATTENTION, base, phrase, silenced, words
from scimconf.sanitize import one_line
from scimconf.template import render_page

_SIGN = {
    Status.OK: "✓",
    Status.CHANGED: "✓",
    Status.PENDING: "●",
    Status.ATTENTION: "!",
    Status.UNREACHABLE: "?",
    Status.BUSY: "?",
    Status.FAILED: "✗",
    Status.ROLLED_BACK: "↩",
    Status.ROLL_BACK_FAILED: "✗",
    Status.SPLIT: "✗",
    Status.SKIPPED: "–",
}
_TONE = {
    Status.OK: "good",
    Status.CHANGED: "changed",
    Status.PENDING: "pending",
    Status.ATTENTION: "pending",
    Status.UNREACHABLE: "away",
    Status.BUSY: "away",
    Status.FAILED: "bad",
    Status.ROLLED_BACK: "back",
    Status.ROLL_BACK_FAILED: "bad",
    Status.SPLIT: "bad",
    Status.SKIPPED: "away",
}
_EXIT = {
    ExitCode.OK: "every server is as the inventory says",
    ExitCode.FAILED: "something failed",
    ExitCode.PENDING: "changes are pending, an unmanaged realm was found, or an identity provider "
    "needs attention",
    ExitCode.UNREACHABLE: "some servers are unreachable or busy, none failed",
    ExitCode.ROLLED_BACK: "a change failed its checks and was rolled back",
    ExitCode.ROLL_BACK_FAILED: "a rollback failed, or the two ends have different tokens: look now",
    ExitCode.INTERRUPTED: "interrupted",
}
_NEEDS_ATTENTION = frozenset(ATTENTION[: ATTENTION.index(Status.PENDING)])
"""The statuses that need a person's attention."""
_GOOD = (Status.OK, Status.CHANGED)
_FEW, _MOST_OPEN = 3, 20
"""Up to `_FEW` servers are all open at first. Of more, the first server of each kind of trouble is
open, at most `_MOST_OPEN`."""

_LEAST_SHARE = 0.008
"""The smallest part of the fleet's bar, so that one server of a thousand is visible."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Servers of this run with the same result."""

    key: str
    name: str
    sign: str
    tone: str
    count: int
    start: int
    length: int
    """Its part of the bar of the whole fleet, in thousandths."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A server."""

    number: int
    kind: _Kind
    outcome: Outcome
    bars: tuple[_Bar, ...]
    done: str
    """The heading above its actions: "To do", "Done" or "Started"."""
    way: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Bar:
    """A step: when it began and how long it took, in thousandths of its server's steps."""

    step: Step
    start: int
    length: int


def page(
    verb: str,
    outcomes: Sequence[Outcome],
    code: ExitCode,
    when: datetime,
    notes: Sequence[str] = (),
) -> str:
    """Return the whole run as the text of one HTML file, UTF-8. `when`: the end of the run."""
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status))
    kinds = {kind.key: kind for kind in _kinds(verb, by_attention)}
    rows = [
        _row(verb, number, kinds[_key(verb, each)], each)
        for number, each in enumerate(by_attention, 1)
    ]
    troubles = _troubles(rows)
    opened = rows if len(rows) <= _FEW else [alike[0] for alike in troubles[:_MOST_OPEN]]
    return render_page(
        "report/page.html.j2",
        styles=("page/base.css", "report/page.css"),
        script="report/page.js",
        verb=verb,
        when=when.strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        code=int(code),
        meaning=_EXIT.get(code, ""),
        total=len(rows),
        good=sum(_is_good(row.outcome) for row in rows),
        looked_at=sum(row.outcome.status in _NEEDS_ATTENTION for row in rows),
        unmanaged=sum(_is_unmanaged(row.outcome) for row in rows),
        notes=[*notes, *([hidden] if (hidden := silenced(outcomes)) else [])],
        kinds=list(kinds.values()),
        troubles=troubles,
        rows=rows,
        unmanaged_hint=UNMANAGED_HINT,
        opened={row.number for row in opened},
    )


def _kinds(verb: str, outcomes: Sequence[Outcome]) -> Iterator[_Kind]:
    counts = Counter(_key(verb, outcome) for outcome in outcomes)
    first = {_key(verb, outcome): outcome for outcome in reversed(outcomes)}
    lengths = {key: max(count / len(outcomes), _LEAST_SHARE) for key, count in counts.items()}
    begun = 0.0
    for key, length in lengths.items():
        start, begun = begun, begun + 1000 * length / sum(lengths.values())
        name, status = _name(verb, first[key]), first[key].status
        part = (round(start), round(begun) - round(start))
        yield _Kind(key, name, _SIGN[status], _TONE[status], counts[key], *part)


def _key(verb: str, outcome: Outcome) -> str:
    name, status = _name(verb, outcome), outcome.status
    return status.name if name == words(verb, status) else f"{status.name}: {name}"


def _name(verb: str, outcome: Outcome) -> str:
    """Return the name of a server's kind. Servers with an unmanaged realm are a separate kind."""
    name = base(verb, outcome)
    return f"{name}, with an unmanaged realm" if _is_unmanaged(outcome) else name


def _is_good(outcome: Outcome) -> bool:
    return outcome.status in _GOOD and not _is_unmanaged(outcome)


def _is_unmanaged(outcome: Outcome) -> bool:
    """Return whether an unmanaged realm is the only difference from the inventory."""
    if outcome.status is Status.CHANGED and outcome.plan is not None:
        return bool(outcome.plan.unmanaged)
    return outcome.only_unmanaged


def _row(verb: str, number: int, kind: _Kind, outcome: Outcome) -> _Row:
    waits = (Status.PENDING, Status.SKIPPED, Status.BUSY)
    done = {Status.CHANGED: "Done", **dict.fromkeys(waits, "To do")}
    return _Row(
        number,
        replace(kind, name=phrase(verb, outcome)),
        outcome,
        tuple(_bars(outcome.steps)),
        done.get(outcome.status, "Started"),
        tuple(map(way_text, outcome.way)),
    )


def _bars(steps: Sequence[Step]) -> Iterator[_Bar]:
    total = sum(step.seconds for step in steps) or 1.0
    begun = 0.0
    for step in steps:
        yield _Bar(step, round(1000 * begun / total), round(1000 * step.seconds / total))
        begun += step.seconds


def _troubles(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Return the servers that need attention, grouped by their message and hint."""
    alike: dict[tuple[str, str, str], list[_Row]] = {}
    for row in rows:
        outcome = row.outcome
        if outcome.status in _NEEDS_ATTENTION:
            key = (row.kind.key, one_line(outcome.message), one_line(outcome.hint))
            alike.setdefault(key, []).append(row)
    return list(alike.values())

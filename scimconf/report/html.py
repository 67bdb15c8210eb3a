"""Outcomes as one HTML file, for whoever was not at the terminal (docs/report.md).

Nothing is decided here that the other reports do not say; `templates/report/` holds the looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from scimconf import __version__
from scimconf.errors import ExitCode
from scimconf.foreign import one_line
from scimconf.model import Outcome, Status, Step
from scimconf.report.lines import way_text
from scimconf.report.words import ATTENTION, words
from scimconf.template import render_page

_SIGN = {
    Status.OK: "✓",
    Status.CHANGED: "✓",
    Status.PENDING: "●",
    Status.UNREACHABLE: "?",
    Status.FAILED: "✗",
    Status.ROLLED_BACK: "↩",
    Status.ROLL_BACK_FAILED: "✗",
    Status.SKIPPED: "–",
}
_TONE = {
    Status.OK: "good",
    Status.CHANGED: "changed",
    Status.PENDING: "pending",
    Status.UNREACHABLE: "away",
    Status.FAILED: "bad",
    Status.ROLLED_BACK: "back",
    Status.ROLL_BACK_FAILED: "bad",
    Status.SKIPPED: "away",
}
_EXIT = {
    ExitCode.OK: "every server is as it should be",
    ExitCode.FAILED: "something failed",
    ExitCode.PENDING: "changes are pending",
    ExitCode.UNREACHABLE: "some servers were not reached, none failed",
    ExitCode.ROLLED_BACK: "a change did not prove good and was put back",
    ExitCode.ROLL_BACK_FAILED: "a change was not put back either: somebody has to look",
    ExitCode.INTERRUPTED: "interrupted",
}
_LOOK = frozenset(ATTENTION[: ATTENTION.index(Status.PENDING)])
"""The statuses that somebody has to deal with."""
_GOOD = (Status.OK, Status.CHANGED)
_FEW, _MOST_OPEN = 3, 20
"""So few servers are shown with all that is known of them from the start; of more, the first of
each kind of trouble, at most so many."""

_LEAST_SHARE = 0.008
"""Of the bar of the whole fleet: one server of a thousand has to be seen."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A status as this run has it."""

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
    """What its actions are: to be done, done, or begun."""
    way: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Bar:
    """A step: when it began and how long it took, in thousandths of its server's steps."""

    step: Step
    start: int
    length: int


def page(verb: str, outcomes: Sequence[Outcome], code: ExitCode, when: datetime) -> str:
    """Give the whole run as the text of one HTML file, UTF-8; `when` it ended."""
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status))
    kinds = {kind.key: kind for kind in _kinds(verb, outcomes)}
    rows = [
        _row(number, kinds[each.status.name], each) for number, each in enumerate(by_attention, 1)
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
        good=sum(row.outcome.status in _GOOD for row in rows),
        looked_at=sum(row.outcome.status in _LOOK for row in rows),
        kinds=list(kinds.values()),
        troubles=troubles,
        rows=rows,
        opened={row.number for row in opened},
    )


def _kinds(verb: str, outcomes: Sequence[Outcome]) -> Iterator[_Kind]:
    counts = Counter(outcome.status for outcome in outcomes)
    lengths = {
        status: max(counts[status] / len(outcomes), _LEAST_SHARE)
        for status in ATTENTION
        if counts[status]
    }
    begun = 0.0
    for status, length in lengths.items():
        start, begun = begun, begun + 1000 * length / sum(lengths.values())
        name, count = words(verb, status), counts[status]
        part = (round(start), round(begun) - round(start))
        yield _Kind(status.name, name, _SIGN[status], _TONE[status], count, *part)


def _row(number: int, kind: _Kind, outcome: Outcome) -> _Row:
    done = {Status.CHANGED: "Done", Status.PENDING: "To do", Status.SKIPPED: "To do"}
    return _Row(
        number,
        kind,
        outcome,
        tuple(_bars(outcome.steps)),
        done.get(outcome.status, "Begun"),
        tuple(map(way_text, outcome.way)),
    )


def _bars(steps: Sequence[Step]) -> Iterator[_Bar]:
    total = sum(step.seconds for step in steps) or 1.0
    begun = 0.0
    for step in steps:
        yield _Bar(step, round(1000 * begun / total), round(1000 * step.seconds / total))
        begun += step.seconds


def _troubles(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Give what needs attention, servers that fail alike together."""
    alike: dict[tuple[str, str, str], list[_Row]] = {}
    for row in rows:
        said = row.outcome
        if said.status in _LOOK:
            key = (row.kind.key, one_line(said.message), one_line(said.hint))
            alike.setdefault(key, []).append(row)
    return list(alike.values())

"""The lines of a server's report, shared by the terminal, Markdown and CI reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from scimconf.activity import Activity, State
from scimconf.model import Check, Outcome, Status, WayFact
from scimconf.sanitize import escape_line_breaks, visible

# Colour-blind people can tell blue, orange and bold apart. Words and signs work without colour.
STYLE = {
    Status.OK: "blue",
    Status.CHANGED: "bold blue",
    Status.PENDING: "yellow",
    Status.ATTENTION: "bold yellow",
    Status.UNREACHABLE: "bold magenta",
    Status.BUSY: "bold magenta",
    Status.FAILED: "bold red",
    Status.ROLLED_BACK: "bold yellow",
    Status.ROLL_BACK_FAILED: "bold white on red",
    Status.SPLIT: "bold white on red",
    Status.SKIPPED: "dim",
}


UNMANAGED_HINT = (
    "name it in scim_realms, or set scim_unmanaged to remove (apply removes it) or to keep "
    "(a warning only)"
)


class Line(NamedTuple):
    """A line about a server, with a mark for its kind in front."""

    mark: str
    text: str
    style: str = ""
    verbatim: bool = False
    """Whether the line is part of a diff and must not be wrapped."""


def alike(
    outcomes: Iterable[Outcome], *, diff: bool = False, steps: bool = False
) -> list[tuple[list[Outcome], tuple[Line, ...]]]:
    """Return groups of servers with the same report, each with its lines."""
    groups: dict[tuple[Status, tuple[Line, ...]], list[Outcome]] = {}
    for outcome in outcomes:
        report = tuple(lines(outcome, diff=diff, steps=steps))
        groups.setdefault((outcome.status, report), []).append(outcome)
    return [(servers, report) for (_, report), servers in groups.items()]


def lines(outcome: Outcome, *, diff: bool = False, steps: bool = False) -> Iterator[Line]:
    """Yield a server's lines: message, hint, actions, failed steps, checks, warnings.

    With `steps`, also all steps, and the facts about the connection and what runs on the server. A
    line break inside a line is escaped, so that no text from a server can forge a line.
    """
    for line in _lines(outcome, diff=diff, steps=steps):
        text = escape_line_breaks(line.text) if line.verbatim else visible(line.text, _LONGEST)
        yield line._replace(text=text)


_LONGEST = 20_000
"""The most characters of one line."""


def _lines(outcome: Outcome, *, diff: bool, steps: bool) -> Iterator[Line]:
    if outcome.message:
        yield Line("", outcome.message, STYLE[outcome.status])
    if outcome.hint:
        yield Line("-> ", outcome.hint)
    for action in outcome.plan.actions if outcome.plan else ():
        yield Line("* ", action.text)
    if outcome.plan and outcome.plan.unmanaged:
        for each in outcome.plan.unmanaged:
            yield Line("! ", each.text, "yellow")
        yield Line("-> ", UNMANAGED_HINT)
    for step in outcome.steps:
        if not step.ok:
            yield Line("failed: ", f"{step.name} {step.detail}".rstrip(), "red")
        elif steps:
            yield Line("ok: ", f"{step.name} {step.seconds:.1f} s {step.detail}".rstrip(), "dim")
    yield from _checks(outcome.checks)
    for activity in outcome.activity:
        yield from _activity(activity)
    for warning in outcome.warnings:
        if str(warning) != f"{outcome.message}; {outcome.hint}":  # else it is said above
            yield Line("! ", str(warning), "yellow")
    if steps:
        yield from (Line("", way_text(fact), "dim") for fact in outcome.way)
    if diff and outcome.plan and outcome.plan.diff:
        yield from map(_diff_line, outcome.plan.diff.removesuffix("\n").split("\n"))


def way_text(fact: WayFact) -> str:
    """Return a `WayFact` on one line, sanitized, with its source."""
    return f"{fact.what}: {visible(fact.value)} ({visible(fact.source, 200)})"


def _checks(checks: Sequence[Check]) -> Iterator[Line]:
    """Yield one line with all good answers of a realm, and one for each other answer."""
    for realm, group in groupby(checks, key=lambda check: check.realm):
        own = list(group)
        good = [_with_status(check) for check in own if check.result == "ok"]
        label = f"realm {realm or '(root)'}"
        if good:
            yield Line("ok: ", f"{label}: {'; '.join(good)}", "blue")
        for check in own:
            if check.result != "ok":
                yield from _trouble(label, check)


def _with_status(check: Check) -> str:
    """Return the message of a good answer. A step of a program has no status."""
    return check.message if check.status is None else f"{check.message} (HTTP {check.status})"


def _trouble(label: str, check: Check) -> Iterator[Line]:
    mark, style = ("! ", "yellow") if check.result == "warning" else ("failed: ", "red")
    asked = "" if check.status is None else f"{check.name}: "
    status = f" (HTTP {check.status})" if check.status is not None else ""
    yield Line(mark, f"{label}: {asked}{check.message}{status}", style)
    if check.hint:
        yield Line("-> ", check.hint)


def _activity(activity: Activity) -> Iterator[Line]:
    good = activity.state is State.OK
    mark, style = ("ok: ", "blue") if good else (f"{activity.state.value}: ", "yellow")
    yield Line(mark, f"realm {activity.realm or '(root)'}: {activity.message}", style)
    if activity.details:
        yield Line("   ", activity.details, "dim")
    if activity.hint:
        yield Line("-> ", activity.hint)


def _diff_line(line: str) -> Line:
    if line.startswith(("--- ", "+++ ")):
        style = "bold"
    else:
        style = {"+": "blue", "-": "red", "@": "dim"}.get(line[:1], "")
    return Line("  ", line, style, verbatim=True)

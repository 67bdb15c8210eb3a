"""Outcomes for people: plain lines in a pipe, colour and a table on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scimconf.model import Check, Outcome, Status
from scimconf.report.harmless import harmless

# Blue, orange and bold are told apart by colour-blind eyes; the words and signs say it without.
_STYLE = {
    Status.OK: "blue",
    Status.CHANGED: "bold blue",
    Status.PENDING: "yellow",
    Status.UNREACHABLE: "bold magenta",
    Status.FAILED: "bold red",
    Status.ROLLED_BACK: "bold yellow",
    Status.ROLL_BACK_FAILED: "bold white on red",
    Status.SKIPPED: "dim",
}
_ATTENTION = (
    Status.ROLL_BACK_FAILED,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.UNREACHABLE,
    Status.SKIPPED,
    Status.PENDING,
    Status.CHANGED,
    Status.OK,
)
_WORDS = {
    ("plan", Status.OK): "nothing to do",
    ("plan", Status.PENDING): "to change",
    ("apply", Status.OK): "nothing to do",
    ("verify", Status.OK): "verified",
}


def words(verb: str, status: Status) -> str:
    """Give the status in the words of the verb: an `ok` plan is "nothing to do"."""
    return _WORDS.get((verb, status), status.value)


def show(console: Console, verb: str, outcomes: Sequence[Outcome], *, diff: bool = False) -> None:
    """Print what came of each server, then a summary: what needs attention stands last."""
    by_attention = sorted(outcomes, key=lambda each: _ATTENTION.index(each.status), reverse=True)
    for outcome in by_attention:
        for line in _lines(verb, outcome, diff=diff):
            # soft_wrap: a line is a line for grep; a terminal wraps by itself.
            console.print(line, soft_wrap=True)
    if len(outcomes) > 1:
        console.print()
        if console.is_terminal:
            console.print(_table(verb, by_attention))
        console.print(Text(_totals(verb, outcomes)), soft_wrap=True)


def _lines(verb: str, outcome: Outcome, *, diff: bool) -> Iterator[Text]:
    head = Text(outcome.server, style="bold")
    if outcome.plan and outcome.plan.version:
        head.append(f"  Zulip {harmless(outcome.plan.version, 40)}", style="not bold dim")
    head.append("  ")
    head.append(words(verb, outcome.status), style=f"not bold {_STYLE[outcome.status]}")
    yield head
    if outcome.message:
        yield from _indented("", outcome.message, _STYLE[outcome.status])
    if outcome.hint:
        yield from _indented("-> ", outcome.hint)
    if outcome.plan:
        for action in outcome.plan.actions:
            yield from _indented("* ", action.text)
        if diff and outcome.plan.diff:
            yield from (_diff_line(line) for line in outcome.plan.diff.splitlines())
    for step in outcome.steps:
        if not step.ok:
            yield from _indented("failed: ", f"{step.name} {step.detail}".rstrip(), "red")
    yield from _checks(outcome.checks)
    for warning in outcome.warnings:
        yield from _indented("! ", warning, "yellow")


def _indented(mark: str, text: str, style: str = "") -> Iterator[Text]:
    for number, line in enumerate(harmless(text).splitlines()):
        yield Text(f"  {mark if number == 0 else ' ' * len(mark)}{line}", style=style)


def _diff_line(line: str) -> Text:
    style = {"+": "blue", "-": "red", "@": "dim"}.get(line[:1], "")
    return Text(f"    {harmless(line)}", style=style)


def _checks(checks: Sequence[Check]) -> Iterator[Text]:
    """Give a line for what is well with a realm, and one for each thing that is not."""
    for realm, all_of_it in groupby(checks, key=lambda check: check.realm):
        own = list(all_of_it)
        good = [f"{check.message} (HTTP {check.status})" for check in own if check.result == "ok"]
        label = f"realm {realm or '(root)'}"
        if good:
            yield from _indented("ok: ", f"{label}: {'; '.join(good)}", "blue")
        for check in own:
            if check.result != "ok":
                yield from _trouble(label, check)


def _trouble(label: str, check: Check) -> Iterator[Text]:
    mark, style = ("! ", "yellow") if check.result == "warning" else ("failed: ", "red")
    status = f" (HTTP {check.status})" if check.status is not None else ""
    yield from _indented(mark, f"{label}: {check.name}: {check.message}{status}", style)
    if check.hint:
        yield from _indented("-> ", check.hint)


def _table(verb: str, outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("server", "zulip", "result", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for outcome in outcomes:
        version = outcome.plan.version if outcome.plan else ""
        table.add_row(
            outcome.server,
            harmless(version, 20),
            Text(words(verb, outcome.status), style=_STYLE[outcome.status]),
            f"{outcome.seconds:.1f}",
        )
    return table


def _totals(verb: str, outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{counts[status]} {words(verb, status)}" for status in _ATTENTION if counts[status]]
    return f"{len(outcomes)} servers: {', '.join(parts)}"

"""Outcomes for people: plain lines in a pipe, colour and a table on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scimconf.foreign import harmless
from scimconf.model import Check, Outcome, Status
from scimconf.report.words import ATTENTION, words

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


def show(
    console: Console,
    verb: str,
    outcomes: Sequence[Outcome],
    *,
    diff: bool = False,
    steps: bool = False,
) -> None:
    """Print what came of each server, then a summary: what needs attention stands last.

    Servers that say the very same stand together above what they say: in a pipe one a line, for
    grep. On a terminal, those that have nothing to say are left to the table.
    """
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status), reverse=True)
    tabled = console.is_terminal and len(outcomes) > 1
    alike: dict[tuple[Status, tuple[_Line, ...]], list[Outcome]] = {}
    for outcome in by_attention:
        said = tuple(_lines(outcome, diff=diff, steps=steps))
        alike.setdefault((outcome.status, said), []).append(outcome)
    for (_, lines), servers in alike.items():
        if not tabled:
            for outcome in servers:
                console.print(_head(verb, [outcome]), soft_wrap=True)
            if lines and len(servers) > 1:
                console.print(Text(f"  these {len(servers)}, all the same:"), soft_wrap=True)
        elif lines:
            console.print(_head(verb, servers))
        for line in lines:
            line.print(console)
    if len(outcomes) > 1:
        console.print()
        if tabled:
            console.print(_table(verb, by_attention))
        console.print(Text(_totals(verb, outcomes)), soft_wrap=True)


class _Line(NamedTuple):
    """A line about a server, behind a mark that says what kind of line it is."""

    mark: str
    text: str
    style: str = ""
    verbatim: bool = False
    """Never wrapped: a line of a diff."""

    def print(self, console: Console) -> None:
        """Print it: wrapped behind its mark on a terminal, in one piece for grep in a pipe."""
        mark, text = Text(f"  {self.mark}", self.style), Text(harmless(self.text), self.style)
        if console.is_terminal and not self.verbatim:
            grid = Table.grid()
            grid.add_row(mark, text)
            console.print(grid)
        else:
            console.print(mark + text, soft_wrap=True)


def _head(verb: str, outcomes: Sequence[Outcome]) -> Text:
    """Give the names of servers that stand alike, the version where they have one, the status."""
    head = Text(", ".join(harmless(outcome.server) for outcome in outcomes), style="bold")
    version, *others = {outcome.plan.version if outcome.plan else "" for outcome in outcomes}
    if version and not others:
        head.append(f"  Zulip {harmless(version, 40)}", style="not bold dim")
    status = outcomes[0].status
    return head.append(f"  {words(verb, status)}", style=f"not bold {_STYLE[status]}")


def _lines(outcome: Outcome, *, diff: bool, steps: bool) -> Iterator[_Line]:
    if outcome.message:
        yield _Line("", outcome.message, _STYLE[outcome.status])
    if outcome.hint:
        yield _Line("-> ", outcome.hint)
    for action in outcome.plan.actions if outcome.plan else ():
        yield _Line("* ", action.text)
    for step in outcome.steps:
        if not step.ok:
            yield _Line("failed: ", f"{step.name} {step.detail}".rstrip(), "red")
        elif steps:
            yield _Line("ok: ", f"{step.name} {step.seconds:.1f} s {step.detail}".rstrip(), "dim")
    yield from _checks(outcome.checks)
    for warning in outcome.warnings:
        yield _Line("! ", warning, "yellow")
    if diff and outcome.plan:
        yield from map(_diff_line, outcome.plan.diff.splitlines())


def _checks(checks: Sequence[Check]) -> Iterator[_Line]:
    """Give a line for what is well with a realm, and one for each thing that is not."""
    for realm, all_of_it in groupby(checks, key=lambda check: check.realm):
        own = list(all_of_it)
        good = [f"{check.message} (HTTP {check.status})" for check in own if check.result == "ok"]
        label = f"realm {realm or '(root)'}"
        if good:
            yield _Line("ok: ", f"{label}: {'; '.join(good)}", "blue")
        for check in own:
            if check.result != "ok":
                yield from _trouble(label, check)


def _trouble(label: str, check: Check) -> Iterator[_Line]:
    mark, style = ("! ", "yellow") if check.result == "warning" else ("failed: ", "red")
    status = f" (HTTP {check.status})" if check.status is not None else ""
    yield _Line(mark, f"{label}: {check.name}: {check.message}{status}", style)
    if check.hint:
        yield _Line("-> ", check.hint)


def _diff_line(line: str) -> _Line:
    if line.startswith(("--- ", "+++ ")):
        style = "bold"
    else:
        style = {"+": "blue", "-": "red", "@": "dim"}.get(line[:1], "")
    return _Line("  ", line, style, verbatim=True)


def _table(verb: str, outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("server", "zulip", "result", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for outcome in outcomes:
        version = outcome.plan.version if outcome.plan else ""
        table.add_row(
            Text(harmless(outcome.server)),
            Text(harmless(version, 20)),
            Text(words(verb, outcome.status), style=_STYLE[outcome.status]),
            f"{outcome.seconds:.1f}",
        )
    return table


def _totals(verb: str, outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{counts[status]} {words(verb, status)}" for status in ATTENTION if counts[status]]
    return f"{len(outcomes)} servers: {', '.join(parts)}"

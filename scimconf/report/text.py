"""Print outcomes for people: plain lines in a pipe, colour and a table on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scimconf.model import Outcome
from scimconf.report.lines import STYLE, Line, alike
from scimconf.report.words import ATTENTION, phrase, silenced, totals
from scimconf.sanitize import sanitize, visible

_COMMAND = re.compile(r"(?:(?<=: )|(?<=; ))(scimconf [a-z].*?)(?:; |\. (?=[A-Z])|$)")
"""A command to paste, with the punctuation after it."""
_HEADINGS = ("server", "zulip", "result", "seconds")


def show(
    console: Console,
    verb: str,
    outcomes: Sequence[Outcome],
    *,
    diff: bool = False,
    steps: bool = False,
    notes: Sequence[str] = (),
) -> None:
    """Print each server's report, then a summary; servers that need attention come last.

    `notes` are sentences about the whole run.

    Print servers with the same report together: one per line in a pipe, for grep. On a terminal,
    servers without lines are in the table only.
    """
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status), reverse=True)
    tabled = console.is_terminal and len(outcomes) > 1
    for servers, about in alike(by_attention, diff=diff, steps=steps):
        if not tabled:
            for outcome in servers:
                console.print(_head(verb, [outcome]), soft_wrap=True)
            if about and len(servers) > 1:
                console.print(Text(f"  all {len(servers)} report:"), soft_wrap=True)
        elif about:
            console.print(_head(verb, servers))
        for line in about:
            _print(line, console)
    if len(outcomes) > 1:
        console.print()
        if tabled:
            console.print(_fitting_table(console, verb, by_attention))
        console.print(Text(totals(verb, outcomes)), soft_wrap=True)
    elif hidden := silenced(outcomes):
        console.print(Text(hidden), soft_wrap=True)
    for note in notes:
        console.print(Text(visible(note, 1000), "yellow"), soft_wrap=True)


def _print(line: Line, console: Console) -> None:
    """Print a line. A terminal wraps it after its mark; a pipe gets one line, for grep.

    If the line is too long, each command in it gets a line of its own, which only the terminal may
    break. So it can be copied as a whole: a part of it could select more servers.
    """
    mark, text = Text(f"  {line.mark}", line.style), Text(sanitize(line.text), line.style)
    if not console.is_terminal or line.verbatim:
        console.print(mark + text, soft_wrap=True)
        return
    is_long = mark.cell_len + text.cell_len > console.width
    for is_command, part in _parts(text) if is_long else [(False, text)]:
        pieces = [part] if is_command else part.wrap(console, max(1, console.width - mark.cell_len))
        for piece in pieces:
            piece.rstrip()
            console.print(mark + piece, soft_wrap=True)
            mark = Text(" " * mark.cell_len)


def _parts(text: Text) -> Iterator[tuple[bool, Text]]:
    """Yield the text before, between and after its commands, and the commands (True)."""
    end = 0
    for found in _COMMAND.finditer(text.plain):
        if text.plain[end : found.start()].strip():
            yield False, text[end : found.start()]
        yield True, text[found.start() : found.end(1)]
        end = found.end()
    if text.plain[end:]:
        yield False, text[end:]


def _head(verb: str, outcomes: Sequence[Outcome]) -> Text:
    """Return the servers' names, their version if they have the same one, and their status."""
    head = Text(", ".join(visible(outcome.server) for outcome in outcomes), style="bold")
    version, *others = {outcome.plan.version if outcome.plan else "" for outcome in outcomes}
    if version and not others:
        head.append(f"  Zulip {visible(version, 40)}", style="not bold dim")
    status = outcomes[0].status
    return head.append(f"  {phrase(verb, outcomes[0])}", style=f"not bold {STYLE[status]}")


def _fitting_table(console: Console, verb: str, outcomes: Sequence[Outcome]) -> Table:
    """Return the table; on a narrow terminal without the columns that matter least."""
    for left_out in ((), ("seconds",)):
        table = _table(verb, outcomes, left_out)
        if console.measure(table, options=console.options.update_width(1000)).maximum <= (
            console.width
        ):
            return table
    return _table(verb, outcomes, ("seconds", "zulip"))


def _table(verb: str, outcomes: Sequence[Outcome], left_out: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    headings = [each for each in _HEADINGS if each not in left_out]
    for heading in headings:
        # People copy names, so a long name is folded and not cut.
        table.add_column(
            heading,
            justify="right" if heading == "seconds" else "left",
            overflow="fold" if heading == "server" else "ellipsis",
            no_wrap=heading != "server",
        )
    for outcome in outcomes:
        version = outcome.plan.version if outcome.plan else ""
        cells = {
            "server": Text(visible(outcome.server)),
            "zulip": Text(visible(version, 20)),
            "result": Text(phrase(verb, outcome), style=STYLE[outcome.status]),
            "seconds": Text(f"{outcome.seconds:.1f}"),
        }
        table.add_row(*(cells[heading] for heading in headings))
    return table

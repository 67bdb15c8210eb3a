"""Report outcomes in a job of GitHub Actions: a log with annotations at the inventory's lines.

The runner executes lines of output that are workflow commands ("Workflow commands for GitHub
Actions" in GitHub's manual; the runner's ActionCommand.cs). It also accepts commands after leading
spaces, and the older `##[command]` anywhere in a line. So untrusted text is printed while commands
are stopped, or it is escaped inside one of our commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scimconf.model import Outcome, Position, Status
from scimconf.report.lines import Line, alike
from scimconf.report.words import ATTENTION, phrase
from scimconf.sanitize import sanitize, visible

_LEVEL = {
    Status.PENDING: "notice",
    Status.ATTENTION: "warning",
    Status.UNREACHABLE: "error",
    Status.BUSY: "error",
    Status.FAILED: "error",
    Status.ROLLED_BACK: "error",
    Status.ROLL_BACK_FAILED: "error",
    Status.SPLIT: "error",
    Status.SKIPPED: "warning",
}
_MOST_NAMES = 20


def stop_commands(text: str, token: str) -> str:
    """Return the text between a command that stops commands and one that resumes them.

    `token` is a fresh random word.
    """
    return f"::stop-commands::{token}\n{text.rstrip()}\n::{token}::"


def annotated(
    verb: str,
    outcomes: Sequence[Outcome],
    root: Path | None = None,
) -> Iterator[str]:
    """Yield one annotation, on one line, for each group of servers with the same report.

    The worst come first: GitHub shows ten annotations of each level per step. An annotation points
    to the first server's place in the inventory, relative to `root` (GITHUB_WORKSPACE).
    """
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status))
    for servers, about in alike(by_attention):
        first = servers[0]
        level = None if first.only_unmanaged else _LEVEL.get(first.status)
        level = level or _level_of(about)
        if level is None:
            continue
        names = [visible(outcome.server) for outcome in servers[:_MOST_NAMES]]
        if len(servers) > len(names):
            names.append(f"and {len(servers) - len(names)} more")
        title = f"{', '.join(names)}: {phrase(verb, first)}"
        text = "\n".join(f"{line.mark}{line.text}" for line in about) or title
        where = _where(first.position, root)
        properties = {**where, "title": title}
        written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        yield f"::{level} {written}::{_data(text)}"


def _level_of(about: Sequence[Line]) -> str | None:
    """Return "warning" for a good server with warnings, else None."""
    return "warning" if any(line.mark == "! " for line in about) else None


def _where(position: Position | None, root: Path | None) -> dict[str, str]:
    if position is None:
        return {}
    file = Path(position.file)
    if root is not None and file.resolve().is_relative_to(root.resolve()):
        file = file.resolve().relative_to(root.resolve())
    return {"file": str(file), "line": str(position.line), "col": str(position.column)}


def _data(text: str) -> str:
    """Escape the message of a command (actions/toolkit, core/src/command.ts: escapeData)."""
    return sanitize(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a command (in the same file: escapeProperty)."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")

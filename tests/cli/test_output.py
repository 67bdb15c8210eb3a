from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from scimconf.cli import terminal
from scimconf.cli.options import OutputOptions
from scimconf.cli.person import Terminal
from scimconf.report.no_progress import NoProgress
from scimconf.report.progress import LineProgress, LiveProgress


class Stream(io.StringIO):
    """A stderr that is a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "term", "force", "quiet", "verbose", "steps", "kind"),
    [
        (True, "xterm", "", False, 0, False, LiveProgress),
        (True, "xterm", "", True, 0, True, NoProgress),
        (True, "dumb", "", False, 0, True, LineProgress),
        (True, "dumb", "", False, 0, False, NoProgress),
        (False, "xterm", "", False, 0, True, LineProgress),
        (False, "xterm", "1", False, 0, True, LineProgress),
        (False, "xterm", "", False, 0, False, NoProgress),
        (False, "xterm", "", False, 1, False, LineProgress),
        (False, "xterm", "", True, 1, True, NoProgress),
    ],
)
def test_the_kind_of_progress(
    terminal: bool,
    term: str,
    force: str,
    quiet: bool,
    verbose: int,
    steps: bool,
    kind: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr", Stream(terminal))
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if force:
        monkeypatch.setenv("FORCE_COLOR", force)
    given = Terminal(output=OutputOptions("text", verbose, quiet)).progress(steps=steps)
    assert type(given) is kind


@pytest.mark.parametrize(("no_color", "system"), [("1", None), ("", "256")])
def test_no_color_prints_plain_text(
    no_color: str, system: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Stream(True))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert terminal.terminal().color_system == system


def test_a_closed_pipe_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Console of rich would exit the process, from any thread."""

    def broken(text: str) -> int:
        raise BrokenPipeError

    gone = SimpleNamespace(write=broken, flush=lambda: None, isatty=lambda: False, encoding="utf-8")
    monkeypatch.setattr("sys.stderr", gone)
    console = terminal.terminal(stderr=True)
    progress = LineProgress(console, steps=True)
    progress.step("chat1", "restart", False)
    progress.step("chat2", "restart", False)
    assert console.quiet

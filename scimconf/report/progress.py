"""Progress on stderr: a live line per server on a terminal, plain lines in a log."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from rich.console import Console
from rich.progress import (
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from scimconf.sanitize import escape_ci_commands, one_line

_LONGEST_NAME = 40
"""The most characters of a step's name, which comes from a server."""

WAITING = ": waiting for "
"""A part of the name of a step that waits: "lock: waiting for ops from 10.0.0.5 (process 7)"."""
_LONGEST_WAIT = 200

_STEP = 20
"""Columns for a step, such as "register client 12 s"."""
_BESIDE_THE_NAME = 14 + _STEP
"""Columns that are not for a server's name. Three of them stay empty for the terminal's `^C`, which
would otherwise break the line, so that the old line stays on the screen.
"""


class _Step(ProgressColumn):
    """The current step of a server and its duration in seconds."""

    def render(self, task: Task) -> Text:
        """Return the step's name; after the first second, also its seconds."""
        seconds = int(task.get_time() - task.fields["begun"])
        return Text(f"{task.description} {seconds} s" if seconds else task.description, "dim")


class LiveProgress(AbstractContextManager["LiveProgress"]):
    """A line for each busy server with its clock and its step, for a terminal.

    A narrow window cuts a long name, but not the clock and the step.
    """

    def __init__(self, console: Console) -> None:
        names = max(20, console.width - _BESIDE_THE_NAME)
        self._progress = Progress(
            SpinnerColumn(),
            TimeElapsedColumn(Column(no_wrap=True)),
            TextColumn(
                "{task.fields[server]}",
                markup=False,
                table_column=Column(no_wrap=True, max_width=names),
            ),
            _Step(Column(no_wrap=True, max_width=_STEP)),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, server: str, name: str, doing: bool) -> None:
        """Show the step that starts. If it waits for another run, print a line about that above."""
        if not doing:
            return
        if WAITING in name:
            line = f"{server}: {one_line(name, _LONGEST_WAIT)}"
            self._progress.console.print(line, markup=False, highlight=False)
        name = one_line(name.partition(" for ")[0], _LONGEST_NAME)
        begun = self._progress.get_time()
        with self._lock:
            if server not in self._tasks:
                self._tasks[server] = self._progress.add_task(
                    name, total=None, server=server, begun=begun
                )
            self._progress.update(self._tasks[server], description=name, begun=begun)

    def done(self, server: str) -> None:
        """Remove the server's line."""
        with self._lock:
            task = self._tasks.pop(server, None)
            if task is not None:
                self._progress.remove_task(task)


class LineProgress(AbstractContextManager["LineProgress"]):
    """Lines for a log: one for each wait, and one for each server that changes.

    With `steps`, one for each finished step with its duration instead.
    """

    def __init__(self, console: Console, *, steps: bool = False) -> None:
        self._console = console
        self._steps = steps
        self._begun: dict[tuple[str, str], float] = {}
        self._ended: dict[str, list[float]] = {}
        """By server, the seconds of each step that has ended."""

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, server: str, name: str, doing: bool) -> None:
        """Record when a step starts; print it when it ends."""
        if doing and WAITING in name:
            self._print(f"{server}: {one_line(name, _LONGEST_WAIT)}")
        elif doing:
            self._begun[server, name] = time.monotonic()
        else:
            begun = self._begun.pop((server, name), time.monotonic())
            seconds = time.monotonic() - begun
            self._ended.setdefault(server, []).append(seconds)
            if self._steps:
                self._print(f"{server}: {one_line(name, _LONGEST_NAME)} {seconds:.1f} s")

    def _print(self, line: str) -> None:
        with suppress(OSError):  # a full disk must not stop a change
            self._console.print(
                escape_ci_commands(line), soft_wrap=True, markup=False, highlight=False
            )

    def done(self, server: str) -> None:
        """End the steps of this server that have not ended."""
        for owner, name in list(self._begun):
            if owner == server:
                self.step(server, name, False)
        ended = self._ended.pop(server, [])
        if len(ended) > 1 and not self._steps:  # one step alone changes nothing
            self._print(f"{server}: {len(ended)} steps in {sum(ended):.1f} s")

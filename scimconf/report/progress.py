"""What goes on while it goes on, on stderr: a live line per busy server, or plain lines."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from scimconf.foreign import one_line

_LONGEST_NAME = 40
"""Characters of a step's name, which comes from a server."""

WAITING = ": waiting for "
"""In the name of a step that waits: "lock: waiting for ops from 10.0.0.5 (process 7), since"."""
_LONGEST_WAIT = 200


class LiveProgress(AbstractContextManager["LiveProgress"]):
    """A line with a clock for each server that is being worked on; for a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[server]}", markup=False),
            TextColumn("{task.description}", style="dim", markup=False),
            TimeElapsedColumn(),
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
        """Show the step that has begun."""
        if not doing:
            return
        name = one_line(name, _LONGEST_WAIT if WAITING in name else _LONGEST_NAME)
        with self._lock:
            if server not in self._tasks:
                self._tasks[server] = self._progress.add_task(name, total=None, server=server)
            self._progress.update(self._tasks[server], description=name)

    def done(self, server: str) -> None:
        """Take the server's line away."""
        with self._lock:
            task = self._tasks.pop(server, None)
            if task is not None:
                self._progress.remove_task(task)


class LineProgress(AbstractContextManager["LineProgress"]):
    """A line for each step that has ended, with its time, and for what one waits; for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun: dict[tuple[str, str], float] = {}

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, server: str, name: str, doing: bool) -> None:
        """Note when a step begins; print it when it has ended."""
        if doing and WAITING in name:
            self._print(f"{server}: {one_line(name, _LONGEST_WAIT)}")
        elif doing:
            self._begun[server, name] = time.monotonic()
        else:
            begun = self._begun.pop((server, name), time.monotonic())
            seconds = time.monotonic() - begun
            self._print(f"{server}: {one_line(name, _LONGEST_NAME)} {seconds:.1f} s")

    def _print(self, line: str) -> None:
        with suppress(OSError):  # a full disk is no reason to stop a change
            self._console.print(line, soft_wrap=True, markup=False, highlight=False)

    def done(self, server: str) -> None:
        """End the steps that have no end of their own."""
        for of, name in list(self._begun):
            if of == server:
                self.step(server, name, False)


class NoProgress(AbstractContextManager["NoProgress"]):
    """Silence."""

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, server: str, name: str, doing: bool) -> None:
        """Say nothing."""

    def done(self, server: str) -> None:
        """Say nothing."""

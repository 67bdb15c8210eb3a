"""Run scimconf on a pseudo-terminal, to test questions, echo and Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

CTRL_C = "\x03"
_DEADLINE = 60.0
_TAKE_THE_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)
_SCIMCONF = (sys.executable, "-m", "scimconf")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\r")


def own_environment() -> dict[str, str]:
    """Return an environment for a scimconf that contacts no server."""
    ours = ("SCIMCONF_", "ANSIBLE_", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[2])}


class Terminal:
    """One run of scimconf, or of another program.

    `shown` is all text that was on the screen, with escape codes.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str],
        columns: int = 100,
        program: Sequence[str] = _SCIMCONF,
    ) -> None:
        self._screen, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        own = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_THE_TERMINAL, *program, *arguments],
            cwd=cwd,
            env={**own, "TERM": "xterm-256color"},
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
        )
        os.close(far)
        self.shown = ""
        self._seen = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._screen)

    @property
    def text(self) -> str:
        """The text on the screen, without escape codes."""
        return _ESCAPES.sub("", self.shown)

    def wait_for(self, words: str) -> None:
        """Read until the words appear on the screen, after the words of the last call."""
        deadline = time.monotonic() + _DEADLINE
        while (at := self.text.find(words, self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"{words!r} did not come:\n{self.text}")
        self._seen = at + len(words)

    def type(self, text: str) -> None:
        """Type a text at once."""
        os.write(self._screen, text.encode())

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and answer it with a line."""
        self.wait_for(question)
        self.type(f"{text}\n")

    def interrupt(self) -> int:
        """Press Ctrl-C at a question. Return the exit code.

        Repeat it if needed: Python misses a signal that comes just before it waits for a key.
        """
        for _ in range(int(_DEADLINE)):
            self.type(CTRL_C)
            try:
                self._process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
            break
        return self.end()

    def end(self) -> int:
        """Read to the end. Return the exit code."""
        deadline = time.monotonic() + _DEADLINE
        while self._read(deadline):
            pass
        return self._process.wait(timeout=_DEADLINE)

    def _read(self, deadline: float) -> bool:
        """Read the available output. Return False at its end or at the deadline."""
        ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

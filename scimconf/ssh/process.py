"""The process that a conversation talks to, and its local implementation."""

from __future__ import annotations

import os
import selectors
import subprocess
from dataclasses import dataclass
from typing import Protocol

from scimconf import child
from scimconf.errors import HostError

_CHUNK = 1 << 18
_GRACE = 2.0
"""Seconds to wait for the exit status."""
_ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
"""The variables that sshd would set too. The others may hold secrets and are not passed on."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The result of one call of `Process.exchange`."""

    sent: int
    out: bytes
    err: bytes
    ended: bool
    """Both outputs have ended."""


class Process(Protocol):
    """A running command with its three streams, here or behind SSH."""

    def exchange(self, outgoing: bytes, seconds: float) -> Exchange:
        """Send what fits and return what came; wait at most `seconds` if nothing can be done.

        One call handles all three streams, so that the two ends never wait for each other.
        """

    def exit_status(self) -> int | None:
        """Return the exit status of an ended process; None if the connection broke first."""

    def close(self, *, at_work: bool) -> None:
        """Close the streams. A process that is at work is left running until it has finished."""


class LocalProcess:
    """A command on this machine, in its own session: no terminal, and Ctrl-C does not reach it."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            with child.unreached_by_ctrl_c():
                self._process = subprocess.Popen(
                    argv,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise HostError("start", f"cannot start {argv[0]}: {error.strerror}") from error
        self._selector = selectors.DefaultSelector()
        self._stdin = self._pipe(self._process.stdin)
        self._stdout = self._pipe(self._process.stdout)
        self._stderr = self._pipe(self._process.stderr)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)

    @staticmethod
    def _pipe(stream: object) -> int:
        descriptor: int = stream.fileno()  # type: ignore[attr-defined]
        os.set_blocking(descriptor, False)
        return descriptor

    def exchange(self, outgoing: bytes, seconds: float) -> Exchange:
        """See Process."""
        watched = self._selector.get_map()
        if self._stdout not in watched:  # it has ended; read the rest of its messages
            err = self._read(self._stderr) if self._stderr in watched and self._ready(0.1) else b""
            return Exchange(len(outgoing), b"", err, ended=not err)
        if outgoing:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        try:
            ready = self._ready(seconds)
        finally:
            if outgoing:
                self._selector.unregister(self._stdin)
        return Exchange(
            sent=self._write(outgoing) if self._stdin in ready else 0,
            out=self._read(self._stdout) if self._stdout in ready else b"",
            err=self._read(self._stderr) if self._stderr in ready else b"",
            ended=False,
        )

    def _ready(self, seconds: float) -> set[int]:
        return {key.fd for key, _ in self._selector.select(max(seconds, 0.0))}

    def _read(self, descriptor: int) -> bytes:
        data = os.read(descriptor, _CHUNK)
        if not data:
            self._selector.unregister(descriptor)
        return data

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._stdin, data[:_CHUNK])
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)  # it has closed stdin; its messages or its exit status tell why

    def exit_status(self) -> int | None:
        """See Process."""
        try:
            return self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            return None

    def close(self, *, at_work: bool) -> None:
        """See Process. An idle agent ends at the end of its stdin; otherwise it is killed."""
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if at_work:
            self._process.returncode = 0  # else Popen warns about a child that we leave on purpose
            return
        child.end(self._process)

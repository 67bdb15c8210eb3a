"""A process that is talked to: what the conversation needs of it, and the local kind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from dataclasses import dataclass
from typing import Protocol

from scimconf.errors import HostError

_CHUNK = 1 << 18
_GRACE = 2.0
"""Seconds that a process has to end."""
_ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
"""What sshd would give a command too. The rest, which may hold secrets, stays here."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one turn with a process came to."""

    sent: int
    out: bytes
    err: bytes
    ended: bool
    """Nothing more will come."""


class Process(Protocol):
    """A running command with its three streams, here or behind SSH."""

    def exchange(self, outgoing: bytes, seconds: float) -> Exchange:
        """Wait until something can be done, at most `seconds`: send what fits, take what came.

        All three streams in one call, so that neither end waits for the other for ever.
        """

    def exit_status(self) -> int | None:
        """Give the exit code of a process that has ended; None: the link to it broke first."""

    def close(self, *, at_work: bool) -> None:
        """Let go of it. One that is at work is left to finish by itself (DESIGN.md)."""


class LocalProcess:
    """A command on this machine, in its own session: no terminal, and Ctrl-C passes it by."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
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
        if self._stdout not in watched:  # it has ended; take what is left of its complaints
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
            return len(data)  # it does not read any more; what it says, or its end, tells why

    def exit_status(self) -> int | None:
        """See Process."""
        try:
            return self._process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            return None

    def close(self, *, at_work: bool) -> None:
        """See Process. An idle agent ends when its stdin does; what does not, is ended."""
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if at_work:
            self._process.returncode = 0  # else Popen warns of a child that is left on purpose
            return
        end(self._process)


def end(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a process that has nothing more to read; end it, and its session, if it stays.

    Gives its status, None if it cannot be ended.
    """
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        try:
            if number is not None:
                os.killpg(process.pid, number)
            return process.wait(timeout=_GRACE)
        except (subprocess.TimeoutExpired, PermissionError):
            continue
        except ProcessLookupError:
            break
    return process.poll()

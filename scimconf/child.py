"""Run another program to its end, with limits on its time and its output.

The program has no terminal, and no input except what the caller gives it. It runs in a session of
its own, so Ctrl-C does not reach it, and a program that breaks a limit is killed together with its
children.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 16
MOST_GIVEN = 4096
"""Bytes that a new pipe always takes at once, so writing them never blocks (pipe(7): PIPE_BUF)."""
_GRACE = 2.0
"""Seconds that `end` waits before each signal."""


class ChildError(Exception):
    """A program did not run to its end. str() completes a sentence that starts with its name."""


class NotStartedError(ChildError):
    """The program cannot be started."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot be started: {reason}")
        self.reason = reason


class TooSlowError(ChildError):
    """The program was killed because it took too long."""


class TooMuchError(ChildError):
    """The program was killed because it wrote too much."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended by itself."""

    status: int
    """The exit status; negative for the number of a signal, as in subprocess."""
    out: bytes
    err: bytes
    """The first bytes of stderr."""

    @property
    def how(self) -> str:
        """How it ended, as the end of a sentence."""
        return how_ended(self.status)


def how_ended(status: int) -> str:
    """Describe an exit status of subprocess, as the end of a sentence."""
    return f"exited with status {status}" if status >= 0 else f"was ended by signal {-status}"


@contextmanager
def unreached_by_ctrl_c() -> Iterator[None]:
    """Protect a program that the `with` block starts with `start_new_session` from Ctrl-C.

    Between the fork and the start of its session, the program is still in the terminal's process
    group, and a Ctrl-C at this moment would end it. So SIGINT is blocked, and the program inherits
    that. This process gets the signal at the end of the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(
    argv: Sequence[str | Path],
    *,
    seconds: float,
    most: int,
    most_stderr: int = 0,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
    given: bytes | None = None,
) -> Ended:
    """Run a program and return what it wrote. Raises ChildError.

    `most`: the bytes that stdout may have. `most_stderr`: the bytes of stderr that are kept; with 0
    stderr goes to /dev/null. `environment`, `folder`: None means those of this process. `given`:
    its input, at most MOST_GIVEN bytes; None: it has none.
    """
    assert given is None or len(given) <= MOST_GIVEN
    deadline = time.monotonic() + seconds
    try:
        with unreached_by_ctrl_c():
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if most_stderr else subprocess.DEVNULL,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
    except OSError as error:
        raise NotStartedError(error.strerror or str(error)) from error
    except ValueError as error:
        raise NotStartedError("its name or an argument contains a null character") from error
    try:
        if process.stdin and given is not None:
            with suppress(BrokenPipeError):  # a program need not read its input
                os.write(process.stdin.fileno(), given)
            process.stdin.close()
        out, err = _read(process, deadline, most, most_stderr)
        status = process.wait(_left(deadline))
    except (subprocess.TimeoutExpired, TimeoutError):
        # `from None`: a traceback must not lead to what the program wrote.
        raise TooSlowError(f"did not end within {seconds:g} s") from None
    finally:
        _kill(process)
    return Ended(status, out, err)


def _read(
    process: subprocess.Popen[bytes], deadline: float, most: int, most_stderr: int
) -> tuple[bytes, bytes]:
    """Read stdout and stderr to their ends. Raises TimeoutError and TooMuchError."""
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, data in (process.stdout, out), (process.stderr, err):
            if pipe:
                selector.register(pipe, selectors.EVENT_READ, data)
        while selector.get_map():
            ready = selector.select(_left(deadline))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.data is err:
                    err += chunk[: most_stderr - len(err)]
                else:
                    out += chunk
                    if len(out) > most:
                        raise TooMuchError(f"wrote more than {most} bytes")
    return bytes(out), bytes(err)


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes. Kill a process that has not ended, and its children."""
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a process whose input is closed; send its session SIGTERM, then SIGKILL, if needed.

    Return its exit status, or None if it cannot be ended.
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

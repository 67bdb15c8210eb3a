"""Run a program and record every process that it starts, even the shortest.

    python recorder.py RECORD PROGRAM [ARGUMENT ...]

It uses ptrace(2), which stops each process when it starts a program and when it ends. For child
processes this needs no root. Each stop is one line of JSON: what every user can read (argv), what
its own user can read (environment), and its open files that were deleted. When the recorder ends,
all its processes end.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

# linux/ptrace.h
CONT, SEIZE, LISTEN = 7, 0x4206, 0x4208
TRACE_FORK, TRACE_VFORK, TRACE_CLONE, TRACE_EXEC, TRACE_EXIT = 0x2, 0x4, 0x8, 0x10, 0x40
EXIT_KILL = 0x100000
EVENT_EXEC, EVENT_EXIT, EVENT_STOP = 4, 6, 128
WALL = 0x40000000
"""waitpid(2): wait for threads too."""

_OPTIONS = TRACE_FORK | TRACE_VFORK | TRACE_CLONE | TRACE_EXEC | TRACE_EXIT | EXIT_KILL
_GROUP_STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_MOST_OF_A_FILE = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def main(record: str, argv: list[str]) -> int:
    """Run the program to its end. Return its exit code."""
    with open(record, "w", buffering=1, encoding="utf-8") as log:
        return _run(argv, log)


def _run(argv: list[str], log: TextIO) -> int:
    wait, go = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(go)
        os.read(wait, 1)
        os.execvp(argv[0], argv)
    try:
        _ptrace(SEIZE, first, _OPTIONS)
    except OSError:
        os.kill(first, signal.SIGKILL)
        raise
    os.write(go, b"x")
    while True:
        pid, status = os.waitpid(-1, WALL)
        if os.WIFSTOPPED(status):
            with suppress(ProcessLookupError):  # killed while it was stopped
                _go_on(pid, status, log)
        elif pid == first:
            return os.waitstatus_to_exitcode(status)


def _go_on(pid: int, status: int, log: TextIO) -> None:
    event, number = status >> 16, os.WSTOPSIG(status)
    if event in (EVENT_EXEC, EVENT_EXIT):
        seen = _look(pid, "exec" if event == EVENT_EXEC else "exit")
        if seen:
            log.write(json.dumps(seen) + "\n")
    if event == EVENT_STOP and number in _GROUP_STOPS:
        _ptrace(LISTEN, pid, 0)
    else:
        _ptrace(CONT, pid, 0 if event else number)


def _ptrace(request: int, pid: int, data: int) -> None:
    if _libc.ptrace(request, pid, None, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _look(pid: int, event: str) -> dict[str, object] | None:
    """Return what can be read of a process, or None for a thread that is not its first."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            if f"Tgid:\t{pid}\n" not in status.read():
                return None
        seen: dict[str, object] = {"event": event, "pid": pid, "argv": _words(pid, "cmdline")}
    except OSError:
        return None
    seen |= {"environment": [], "nameless": {}}
    with suppress(PermissionError):  # a process can prevent this (PR_SET_DUMPABLE)
        seen["environment"] = _words(pid, "environ")
        seen["nameless"] = dict(_nameless(pid))
    return seen


def _words(pid: int, name: str) -> list[str]:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read().decode("utf-8", "surrogateescape").rstrip("\0").split("\0")


def _nameless(pid: int) -> Iterator[tuple[str, str]]:
    """Yield the open files that were deleted, with the start of their content."""
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):
        link = f"{folder}/{number}"
        with suppress(OSError):
            target = os.readlink(link)
            if target.endswith(" (deleted)") and stat.S_ISREG(os.stat(link).st_mode):
                with open(link, "rb") as file:
                    text = file.read(_MOST_OF_A_FILE).decode("utf-8", "surrogateescape")
                yield f"{number} {target}", text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

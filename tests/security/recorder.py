"""Runs a program and writes down every process that it ever starts: none is too short-lived.

    python recorder.py RECORD PROGRAM [ARGUMENT ...]

By ptrace(2), which stops each process when a new program is in it and again when it ends, and
needs no root for one's own children. One line of JSON for each stop: what everybody on the machine
can read of it (argv), what its user can (environment), and the files that it has open and that
have no name any more. When the recorder ends, so does everything it started.
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
"""waitpid(2): threads too."""

_OPTIONS = TRACE_FORK | TRACE_VFORK | TRACE_CLONE | TRACE_EXEC | TRACE_EXIT | EXIT_KILL
_GROUP_STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_MOST_OF_A_FILE = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def main(record: str, argv: list[str]) -> int:
    """Run it to its end; give its exit code."""
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
    """Return what there is to see of a process; None of a thread that is not its first."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            if f"Tgid:\t{pid}\n" not in status.read():
                return None
        seen: dict[str, object] = {"event": event, "pid": pid, "argv": _words(pid, "cmdline")}
    except OSError:
        return None
    seen |= {"environment": [], "nameless": {}}
    with suppress(PermissionError):  # one that made itself undumpable shows its user nothing
        seen["environment"] = _words(pid, "environ")
        seen["nameless"] = dict(_nameless(pid))
    return seen


def _words(pid: int, name: str) -> list[str]:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read().decode("utf-8", "surrogateescape").rstrip("\0").split("\0")


def _nameless(pid: int) -> Iterator[tuple[str, str]]:
    """Return the open files that have no name any more, with their beginnings."""
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

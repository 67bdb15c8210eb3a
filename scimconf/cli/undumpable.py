"""Hide this process's memory and first environment from the programs that it starts."""

from __future__ import annotations

import sys
from contextlib import suppress

try:
    import ctypes
except ImportError:  # a Python that was built without it
    ctypes = None  # type: ignore[assignment]

_PR_SET_DUMPABLE = 4
"""prctl(2)"""


def make_undumpable() -> None:
    """Make /proc/PID/environ, mem and so on unreadable for other processes of the same user.

    Removing a secret from os.environ does not erase it from the memory in which the process got its
    environment, and any child could read it there. A child process is readable again as soon as it
    executes another program.

    Works on Linux only; elsewhere this does nothing. root and processes with CAP_SYS_PTRACE can
    still read. The process no longer writes core dumps.
    """
    if sys.platform != "linux" or ctypes is None:
        return
    with suppress(OSError, AttributeError):  # no prctl in libc
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

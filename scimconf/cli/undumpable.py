"""Hide this process's memory and original environment from the programs that it starts."""

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

    If a secret is removed from os.environ, a child process could still read it in the original
    environment. A child process becomes readable again when it executes another program.

    Works on Linux only; elsewhere this does nothing. root and processes with CAP_SYS_PTRACE can
    still read. The process no longer writes core dumps.
    """
    if sys.platform != "linux" or ctypes is None:
        return
    with suppress(OSError, AttributeError):  # no prctl in libc
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

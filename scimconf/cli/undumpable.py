"""Keep this process's memory and first environment from the programs that it starts."""

from __future__ import annotations

import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4
"""prctl(2)"""


def make_undumpable() -> None:
    """Close /proc/PID/environ, mem and the like of this process to other processes of its user.

    To take a secret out of os.environ does not erase it from the memory that the process began
    with, and any child could read it there. A child becomes readable again as soon as another
    program runs in it. Linux only, elsewhere nothing happens; root, and any process with
    CAP_SYS_PTRACE, reads on. There is no core dump any more, either.
    """
    if sys.platform != "linux":
        return
    with suppress(ImportError, OSError, AttributeError):  # a Python without ctypes, or libc's prctl
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

"""New files that are written beside the files that they replace, and their leftovers.

The writer holds a lock (flock) on its new file; the lock ends with the process. So the next run
that writes into the folder can tell the leftovers of killed runs from files that are being written.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.new", re.DOTALL)


def new(path: Path, mode: int) -> tuple[int, Path]:
    """Create a new file beside `path`; return its descriptor, open for writing, and its path.

    Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    while True:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
        descriptor = os.open(beside, flags, mode)
        if _hold(descriptor) and beside.exists():
            return descriptor, beside
        os.close(descriptor)  # another run removed it as a leftover before it was locked


def sweep(folder: Path) -> None:
    """Remove the leftovers of this user's killed runs from a folder. Never raise."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if _NAME.fullmatch(name):
                _remove(folder / name)


def _remove(path: Path) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(path, flags)
        try:
            found = os.fstat(descriptor)
            ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if ours and found.st_nlink == 1:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        finally:
            os.close(descriptor)


def _hold(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # no locks on this file system: `sweep` then removes nothing either
    return True

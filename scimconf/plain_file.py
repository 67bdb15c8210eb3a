"""Reading a whole file whose name comes from outside: a regular one, of a bounded size."""

from __future__ import annotations

import errno
import os
import stat

MOST_KEY = 64 << 10
"""Bytes of a file with one key or certificate."""
MOST_LIST = 16 << 20
"""Bytes of a file with many keys: known_hosts, revoked keys, authorities."""


class UnfitFileError(OSError):
    """A file that is there, and is not read: it is no regular file, or too large."""


def read(path: str, most: int) -> bytes:
    """Return the bytes of a regular file; links are followed.

    A device has no end, and a FIFO that nobody writes to would hold us for ever. Raises OSError;
    `strerror` says why.
    """
    try:
        # Looked at before it is opened: opening is enough to make some devices do something.
        _check(os.stat(path))
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check(os.fstat(file.fileno()))
            data = file.read(most + 1)
    except ValueError as error:
        raise UnfitFileError(errno.EINVAL, "this is not a file name") from error
    if len(data) > most:
        size = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most >> 10} KiB"
        raise UnfitFileError(errno.EFBIG, f"it is larger than {size}")
    return data


def _check(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnfitFileError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError(errno.EINVAL, "it is not a regular file")

"""One transaction at a time on a server: a lock that dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import Iterator

from scimconf.agent import files

_NAME = "lock"


class Busy(Exception):
    """Somebody else holds the lock; the text says who, since when."""


@contextlib.contextmanager
def held(folder: str, who: str) -> Iterator[None]:
    """Hold the lock of a state folder. Raises Busy, and Trouble where the folder cannot be made."""
    files.make_private(folder)
    descriptor = os.open(os.path.join(folder, _NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_soon(descriptor)
        os.ftruncate(descriptor, 0)
        moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        os.pwrite(descriptor, f"{who} (process {os.getpid()}), since {moment}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(folder: str) -> str:
    """Say who holds the lock, since when; "" if nobody does."""
    try:
        descriptor = os.open(os.path.join(folder, _NAME), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        _take(descriptor)
    except Busy as busy:
        return str(busy)
    finally:
        os.close(descriptor)
    return ""


def _take_soon(descriptor: int) -> None:
    """Take it, even if an `observe` is just looking whether it is free."""
    for _ in range(10):
        with contextlib.suppress(Busy):
            return _take(descriptor)
        time.sleep(0.05)
    return _take(descriptor)


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 500, 0).decode(errors="replace")
        raise Busy(text or "another run") from None

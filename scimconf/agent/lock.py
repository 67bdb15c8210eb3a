"""One transaction at a time on a server: a lock that dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import Callable, Iterator

from scimconf.agent import files

_NAME = "lock"
_GLANCE = 0.5
"""Seconds that an `observe` may take to see whether the lock is free."""


class Busy(Exception):
    """Somebody else holds the lock; the text says who, from where and since when."""


@contextlib.contextmanager
def held(
    folder: str, who: str, seconds: float = 0, waiting: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the lock of a state folder, waiting for it at most so long.

    `waiting` is told who holds it. Raises Busy, and Trouble where the folder cannot be made.
    """
    files.make_private(folder)
    descriptor = os.open(os.path.join(folder, _NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_within(descriptor, seconds, waiting)
        os.ftruncate(descriptor, 0)
        moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        os.pwrite(descriptor, f"{who} (process {os.getpid()}), since {moment}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(folder: str) -> str:
    """Return who holds the lock, since when; "" if nobody does. Raises OSError if unreadable."""
    try:
        descriptor = os.open(os.path.join(folder, _NAME), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        # Shared: two plans that look at the same time must not take each other for a run.
        _take(descriptor, fcntl.LOCK_SH)
    except Busy as busy:
        return str(busy)
    finally:
        os.close(descriptor)
    return ""


def _take_within(descriptor: int, seconds: float, waiting: Callable[[str], None]) -> None:
    begun = time.monotonic()
    known = ""
    while True:
        try:
            return _take(descriptor)
        except Busy as busy:
            waited, now = time.monotonic() - begun, str(busy)
            if waited > max(seconds, _GLANCE):
                raise
        if waited > _GLANCE and now != known:
            known = now
            waiting(known)
        time.sleep(0.05)


def _take(descriptor: int, kind: int = fcntl.LOCK_EX) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 500, 0).decode(errors="replace")
        raise Busy(text or "another run") from None

"""One transaction at a time on a server: a lock that dies with its holder.

A restart outlives the agent that began it, and a second one beside it fails. So a restart has a
lock of its own, which is held by the program that restarts (`child.run`), not by the agent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import Callable, Iterator, Optional

from scimconf.agent import files

_NAME = "lock"
_RESTART = "restart"
_GLANCE = 0.5
"""Seconds that an `observe` may take to see whether the lock is free."""


class Busy(Exception):
    """Somebody else holds the lock; the text says who, from where and since when."""


class Restarting(Busy):
    """A restart still runs that a dead run began; the text says which run that was."""


@contextlib.contextmanager
def held(
    folder: str, who: str, seconds: float = 0, waiting: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the lock of a state folder, waiting for it at most so long.

    `waiting` is told who holds it. Raises Busy, and AgentError where the folder cannot be made.
    """
    files.make_private(folder)
    descriptor = os.open(os.path.join(folder, _NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_within(descriptor, seconds, waiting)
        os.ftruncate(descriptor, 0)
        moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        text = f"{who} (process {os.getpid()}), since {moment}".encode()
        os.pwrite(descriptor, text, 0)
        _make_ready(folder, text)
        yield
    finally:
        os.close(descriptor)


def wait_for_restart(
    folder: str, seconds: float, waiting: Callable[[str], None] = lambda holder: None
) -> None:
    """Return once no restart of a dead run is at work. Raises Restarting after so many seconds.

    Such a restart is never ended: that can leave Zulip down.
    """
    with restart_lock(folder, seconds, waiting):
        pass


@contextlib.contextmanager
def restart_lock(
    folder: str, seconds: float = 0, waiting: Callable[[str], None] = lambda holder: None
) -> Iterator[Optional[int]]:
    """Hold the lock of the restart; gives a descriptor of it for the program that restarts.

    None where it cannot be opened or locked: to restart matters more than the lock. Raises
    Restarting.
    """
    try:
        # Made by `held`: on a full disk and on a read-only one it can still be opened.
        descriptor = os.open(os.path.join(folder, _RESTART), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        try:
            _take_within(descriptor, seconds, waiting)
        except Busy as busy:
            raise Restarting(str(busy)) from None
        except OSError:
            yield None  # on NFS a lock needs a file that is open for writing
            return
        yield descriptor
    finally:
        os.close(descriptor)


def _make_ready(folder: str, text: bytes) -> None:
    """Make the file of the restart's lock; what it says is kept as long as a restart runs."""
    path = os.path.join(folder, _RESTART)
    with contextlib.suppress(OSError):  # of a full disk
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(Busy):
                _take(descriptor)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, text, 0)
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

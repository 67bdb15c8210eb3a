"""Allow one transaction at a time on a server. The lock is released when its holder dies.

A restart continues after its agent died, and a second restart at the same time fails. So the
restart has a lock of its own. The restart program holds it (`child.run`), not the agent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import Callable, Iterator, Optional

_NAME = "lock"
_RESTART = "restart"
_SHORT = 0.5
"""Seconds for which an `observe` may hold the lock while it looks whether it is free."""


class Busy(Exception):
    """Another run holds the lock. The text says who, from where and since when."""


class Restarting(Busy):
    """The restart of a dead run still runs. The text says which run that was."""


@contextlib.contextmanager
def held(
    folder: str, who: str, seconds: float = 0, waiting: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the lock of a state folder. Wait for it at most `seconds`.

    While it waits, `waiting` is called with the holder. Raises Busy, and AgentError if the folder
    cannot be created.
    """
    from scimconf.agent import durable  # a plan writes nothing

    durable.make_private(folder)
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
    """Return once no restart of a dead run is running. Raises Restarting after `seconds`.

    Such a restart is never killed, because that can leave Zulip down.
    """
    with restart_lock(folder, seconds, waiting):
        pass


@contextlib.contextmanager
def restart_lock(
    folder: str, seconds: float = 0, waiting: Callable[[str], None] = lambda holder: None
) -> Iterator[Optional[int]]:
    """Hold the lock of the restart. Yield its descriptor, for the program that restarts.

    Yield None if the file cannot be opened or locked: the restart is more important than the lock.
    Raises Restarting.
    """
    try:
        # `held` has created the file. It can be opened on a full or read-only disk too.
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
            yield None  # on NFS, a lock needs a file that is open for writing
            return
        yield descriptor
    finally:
        os.close(descriptor)


def _make_ready(folder: str, text: bytes) -> None:
    """Create the file of the restart's lock. While a restart runs, its text stays."""
    path = os.path.join(folder, _RESTART)
    with contextlib.suppress(OSError):  # the disk may be full
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(Busy):
                _take(descriptor)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, text, 0)
        finally:
            os.close(descriptor)


def holder(folder: str) -> Optional[str]:
    """Return who holds the lock and since when; None: it is free. Raises OSError if unreadable."""
    try:
        descriptor = os.open(os.path.join(folder, _NAME), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A shared lock: two plans at the same time must not look like a run to each other.
        _take(descriptor, fcntl.LOCK_SH)
    except Busy as busy:
        return str(busy)
    finally:
        os.close(descriptor)
    return None


def _take_within(descriptor: int, seconds: float, waiting: Callable[[str], None]) -> None:
    begun = time.monotonic()
    known = ""
    while True:
        try:
            return _take(descriptor)
        except Busy as busy:
            waited, now = time.monotonic() - begun, str(busy)
            if waited > max(seconds, _SHORT):
                raise
        if waited > _SHORT and now != known:
            known = now
            waiting(known)
        time.sleep(0.05)


def _take(descriptor: int, kind: int = fcntl.LOCK_EX) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 500, 0).decode(errors="replace")
        raise Busy(text or "another run") from None

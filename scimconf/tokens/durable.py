"""A file that is replaced as a whole, safe on the disk, by one run at a time."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.tokens import staged

_NAMED = {"stdout": 1, "stderr": 2}
_OWN = re.compile(r"/dev/(null|stdout|stderr|fd/[0-9]{1,5})")
"""What stands for a descriptor of this process: whoever started it chose where that leads. And
what keeps nothing."""
_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISDIR, "a folder"),
)
_PATIENCE = 30.0
"""Seconds to wait for another run, which holds the lock for much less than one."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that guards `path`, a file of its own beside it; raises UsageError."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(f"cannot write beside {path}: {lock}: {error.strerror}") from None
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _take(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UsageError(
                    f"another scimconf has been writing {path} for {_PATIENCE:g} seconds"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise UsageError(f"cannot lock {path}: {error.strerror}") from None
        else:
            return


def put(path: Path, text: str) -> None:
    """Write a result to where a person wants it: as a new file, in place of one that is there.

    Also into a descriptor of this process (/dev/stdout, a shell's `>(...)`). Raises UsageError.
    """
    check_place(path)
    own = _OWN.fullmatch(str(path))
    if own is None:
        replace(path, text)
        return
    if own[1] == "null":
        return
    try:
        descriptor = _NAMED.get(own[1]) or int(own[1].removeprefix("fd/"))
        with open(os.dup(descriptor), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def check_place(path: Path) -> None:
    """Raise UsageError where `put` would not write: a link, a pipe, a device or a folder.

    In a folder that others can write to, it may have been put there to be handed the text.
    """
    if _OWN.fullmatch(str(path)):
        return
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise UsageError(f"cannot write {path}: {reason}") from None
    if stat.S_ISREG(mode):
        return
    kind = next((name for known, name in _KINDS if known(mode)), "no regular file")
    raise UsageError(
        f"{path} is not written: it is {kind}, which somebody else may have put there",
        f"name the file itself: {path.resolve()}"
        if stat.S_ISLNK(mode)
        else "name a new file, or one that may be replaced",
    )


def replace(path: Path, text: str, *, shared: bool = False) -> None:
    """Write `text` as the whole of `path`, mode 0600; when this returns it is on the disk.

    `shared`: with the mode that the file has, or that the umask gives to a new one. Whoever reads
    meanwhile, or looks after a power cut, finds the old text or the new one; what a killed run left
    in the folder is removed. Raises UsageError, and then the old text stands.
    """
    staged.sweep(path.parent)
    try:
        descriptor, beside = staged.new(path, 0o666 if shared else 0o600)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            if shared and path.exists():
                os.fchmod(descriptor, path.stat().st_mode & 0o777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            # While it is still locked: another run would sweep it away as a leftover.
            os.replace(beside, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            os.unlink(beside)
        raise UsageError(f"cannot write {path}: {error.strerror}") from None

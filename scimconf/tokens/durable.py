"""A file that is replaced as a whole, safe on the disk, by one run at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.tokens import staged

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
    """Write a result to where a person wants it: a file is replaced where its link leads, what is
    no file (a device, a pipe) is written into. Raises UsageError.
    """
    try:
        is_file = not path.exists() or path.is_file()
        if not is_file:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    replace(path.resolve() if path.is_symlink() else path, text)


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

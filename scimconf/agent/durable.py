"""Replace files. After a crash, a file has its old content or its new one, complete."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from typing import Callable, List, Tuple

from scimconf.agent.errors import AgentError
from scimconf.agent.files import user

KEPT = 10
"""Backups of each file."""

_MARK = ".scimconf-"
_SECOND = 1_000_000_000
_BLOCK = 512
"""The unit of st_blocks on Linux (stat(2))."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def replace(path: str, data: bytes, even_if_full: bool = False) -> None:
    """Replace the content of a file durably. Keep its mode, owner, ACL and links.

    For a symbolic link, its target is replaced. The modification time increases by at least one
    whole second, because Python identifies a compiled settings.py by its size and whole second.

    A bind mount cannot be replaced by a rename (EBUSY), so it is written in place. With
    `even_if_full`, a file is also written in place if the disk is full and the new content fits
    into the blocks of the old one. Raises AgentError.
    """
    real = os.path.realpath(path)
    try:
        old = os.stat(real)
        moment = max(time.time_ns(), (old.st_mtime_ns // _SECOND + 1) * _SECOND)
        try:
            _replace_by_rename(real, data, old, moment)
        except OSError as error:
            fits = even_if_full and len(data) <= old.st_blocks * _BLOCK
            if error.errno != errno.EBUSY and not (fits and error.errno in _FULL):
                raise
            _write_in_place(real, data, moment)
        _sync_folder(os.path.dirname(real))
    except OSError as error:
        raise AgentError(f"{path} cannot be replaced: {error.strerror}") from None


def sweep(path: str) -> None:
    """Remove unfinished files that a dead run left beside a file."""
    folder, name = os.path.split(os.path.realpath(path))
    _sweep(folder, f".{name}")


def _sweep(folder: str, name: str) -> None:
    """Remove unfinished files of `name` ("" for all names), except those that are in use."""
    pattern = re.compile((re.escape(name) or ".+") + re.escape(_MARK) + "[0-9a-f]{16}", re.DOTALL)
    with contextlib.suppress(OSError):
        found = [each for each in os.listdir(folder) if pattern.fullmatch(each)]
        for each in found:
            _remove_left(os.path.join(folder, each))
        if found:
            _sync_folder(folder)


def _remove_left(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            now = os.fstat(descriptor)
            if stat.S_ISREG(now.st_mode) and now.st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        finally:
            os.close(descriptor)


def _new(stem: str) -> Tuple[int, str]:
    """Create a file and lock it. The lock shows that no dead run left it."""
    while True:
        beside = f"{stem}{_MARK}{os.urandom(8).hex()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)  # another run removes it, because it was not locked yet
            continue
        except OSError:
            pass  # on a file system without locks, nothing is removed either
        if os.path.exists(beside):
            return descriptor, beside
        os.close(descriptor)


def _write_and_rename(
    stem: str, path: str, data: bytes, finish: Callable[[int], None] = lambda descriptor: None
) -> None:
    """Write a private file, call `finish` once its content is complete, sync it and rename it."""
    descriptor, beside = _new(stem)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            finish(descriptor)
            os.fsync(descriptor)
            os.rename(beside, path)  # still locked: otherwise another run could remove it
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _replace_by_rename(real: str, data: bytes, old: os.stat_result, moment: int) -> None:
    def copy_metadata(descriptor: int) -> None:
        os.fchown(descriptor, -1, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        _copy_attributes(real, descriptor)
        os.utime(descriptor, ns=(moment, moment))

    folder, name = os.path.split(real)
    _write_and_rename(os.path.join(folder, f".{name}"), real, data, copy_metadata)


def _copy_attributes(real: str, descriptor: int) -> None:
    """Copy ACLs and labels. Only an ACL is required, because only root may set some labels."""
    names: List[str] = []
    with contextlib.suppress(OSError, AttributeError):  # some systems have no such attributes
        names = os.listxattr(real)
    for name in names:
        try:
            os.setxattr(descriptor, name, os.getxattr(real, name))
        except OSError:
            if name.startswith("system.posix_acl"):
                raise


def _write_in_place(real: str, data: bytes, moment: int) -> None:
    with open(real, "r+b") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.utime(file.fileno(), ns=(moment, moment))
        os.fsync(file.fileno())


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- the private folder -----------------------------------------------------------------------


def make_private(folder: str) -> None:
    """Create a folder durably that only this user may read. Raises AgentError."""
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700, exist_ok=True)
            _sync_folder(os.path.dirname(folder))
        now = os.lstat(folder)
        if not stat.S_ISDIR(now.st_mode) or now.st_uid != os.geteuid():
            raise AgentError(f"{folder} is not a folder of {user()}")
        os.chmod(folder, 0o700)
    except OSError as error:
        raise AgentError(f"{folder} cannot be created: {error.strerror}") from None


def write_private(path: str, data: bytes) -> None:
    """Write a private file (0600) durably, complete or not at all. Raises AgentError."""
    try:
        _write_and_rename(path, path, data)
        _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise AgentError(f"{path} cannot be written: {error.strerror}") from None


def sweep_private(folder: str) -> None:
    """Remove all unfinished files that a dead run left in a private folder. They hold secrets."""
    _sweep(folder, "")


def back_up(folder: str, path: str, data: bytes) -> None:
    """Save the old bytes of a file as `folder/<UTC time>-<its name>`, and keep nine older ones."""
    make_private(folder)
    now, name = time.time_ns(), f"-{os.path.basename(path)}"
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // _SECOND)) + f".{now % _SECOND:09}Z"
    # List the older ones before writing: if the clock went back, the new name does not sort last.
    older = sorted(each for each in os.listdir(folder) if each.endswith(name))
    write_private(os.path.join(folder, moment + name), data)
    for old in older[: 1 - KEPT]:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, old))

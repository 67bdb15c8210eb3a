"""Read and write files on this machine: bounded reads, locks and atomic writes.

The agent has a module of its own for the files of a server (scimconf/agent/files.py).
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scimconf.errors import UsageError

MAX_KEY_BYTES = 64 << 10
"""The limit for a file with one key or certificate."""
MAX_LIST_BYTES = 16 << 20
"""The limit for a file with many keys: known_hosts, revoked keys, authorities."""

_DESCRIPTOR = re.compile(r"/dev/(null|stdout|stderr|fd/[0-9]{1,5})")
"""Names of this process's own descriptors, and /dev/null. Only the caller can redirect them."""
_STANDARD = {"stdout": 1, "stderr": 2}
_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISDIR, "a folder"),
)
_STAGED = re.compile(r"\..+\.[0-9a-f]{16}\.new", re.DOTALL)
_LOCK_TIMEOUT = 30.0
"""Seconds. Another run holds the lock for much less than one."""


class RefusedFileError(OSError):
    """The file exists but is not read: it is not a regular file, or it is too large."""


# --- read -------------------------------------------------------------------------------------


def read(path: str, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes; links are followed.

    A device never ends, and reading a FIFO without a writer never returns. Raises OSError, whose
    `strerror` gives the reason.
    """
    try:
        # Checked before the file is opened: opening alone makes some devices act.
        _check_regular(os.stat(path))
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check_regular(os.fstat(file.fileno()))
            data = file.read(limit + 1)
    except ValueError as error:
        raise RefusedFileError(errno.EINVAL, "this is not a valid file name") from error
    if len(data) > limit:
        size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
        raise RefusedFileError(errno.EFBIG, f"it is larger than {size}")
    return data


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise RefusedFileError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise RefusedFileError(errno.EINVAL, "it is not a regular file")


# --- lock -------------------------------------------------------------------------------------


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for `path`, which is a separate file beside it. Raises UsageError."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(f"cannot write beside {path}: {lock}: {error.strerror}") from None
    try:
        _wait_for_lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)  # this also releases the lock


def _wait_for_lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UsageError(
                    f"another scimconf has held the lock of {path} for {_LOCK_TIMEOUT:g} seconds",
                    "wait for it to end, or stop it, and try again",
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise UsageError(f"cannot lock {path}: {error.strerror}") from None
        else:
            return


# --- write ------------------------------------------------------------------------------------


def write_output(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a result to the user's file, and replace an existing regular file.

    `mode`: of the new file, whatever the umask. Also writes to a descriptor of this process
    (/dev/stdout, a shell's `>(...)`). Raises UsageError.
    """
    check_output(path)
    own = _DESCRIPTOR.fullmatch(str(path))
    if own is None:
        write_atomically(path, text, mode=mode)
        return
    if own[1] == "null":
        return
    try:
        descriptor = _STANDARD.get(own[1]) or int(own[1].removeprefix("fd/"))
        with open(os.dup(descriptor), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def check_output(path: Path) -> None:
    """Raise UsageError if `write_output` would refuse `path`: a link, pipe, device or folder.

    In a folder that others can write to, an attacker may have put it there to receive the text.
    """
    if _DESCRIPTOR.fullmatch(str(path)):
        return
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid file name"
        raise UsageError(f"cannot write {path}: {reason}") from None
    if stat.S_ISREG(mode):
        return
    kind = next((name for matches, name in _KINDS if matches(mode)), "not a regular file")
    raise UsageError(
        f"{path} is not written: it is {kind}, which somebody else may have put there",
        f"name the file itself: {path.resolve()}"
        if stat.S_ISLNK(mode)
        else "name a new file, or a regular file to replace",
    )


def write_atomically(path: Path, text: str, *, shared: bool = False, mode: int = 0o600) -> None:
    """Replace the whole of `path` by `text` with `mode`, and sync it to the disk.

    With `shared`, the file keeps its mode, and a new file gets the mode of the umask. A reader,
    also one after a power cut, finds either the old text or the new text. Leftovers of killed runs
    in the folder are removed. Raises UsageError; the old text is then still in place.
    """
    sweep_staged(path.parent)
    try:
        descriptor, staged = new_staged(path, 0o666 if shared else 0o600)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            if shared and path.exists():
                os.fchmod(descriptor, path.stat().st_mode & 0o777)
            elif not shared:
                os.fchmod(descriptor, mode)  # the umask may be stricter
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            # Rename while the file is still locked: another run would sweep an unlocked one.
            os.replace(staged, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            os.unlink(staged)
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


# --- staged files -----------------------------------------------------------------------------
#
# The writer of a staged file holds a lock on it (flock), which ends with the process. So the next
# run that writes into the folder can tell a leftover from a file that is being written.


def new_staged(path: Path, mode: int) -> tuple[int, Path]:
    """Create a file beside `path`; return its descriptor, open for writing, and its path.

    Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    while True:
        staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
        descriptor = os.open(staged, flags, mode)
        if _lock_staged(descriptor) and staged.exists():
            return descriptor, staged
        os.close(descriptor)  # another run swept it before it was locked


def sweep_staged(folder: Path) -> None:
    """Remove the staged files that killed runs of this user left in a folder. Never raises."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if _STAGED.fullmatch(name):
                _remove_leftover(folder / name)


def _remove_leftover(path: Path) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(path, flags)
        try:
            found = os.fstat(descriptor)
            is_own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if is_own and found.st_nlink == 1:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        finally:
            os.close(descriptor)


def _lock_staged(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks; nothing is swept there either
    return True

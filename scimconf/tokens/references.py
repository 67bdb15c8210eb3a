"""Tokens kept elsewhere: in the environment, in a file, or behind a command (never a shell).

What a command writes to stderr is not shown: some print the secret there when they fail.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from scimconf.errors import UsageError
from scimconf.model import Reference, Server
from scimconf.secret import Secret
from scimconf.tokens.strength import weakness

_log = logging.getLogger(__name__)

LARGEST = 64 * 1024
"""Bytes that a reference may give; more is not a token."""


def resolve(reference: Reference, timeout: float = 30.0, cap: int = LARGEST) -> Secret:
    """Give the token that a reference leads to, one trailing line break taken off.

    `timeout` in seconds, for a command. Raises UsageError, naming the reference, where there is
    none, or one that is no good as a token.
    """
    fetch = {"env": _from_environment, "file": _from_file, "command": _from_command}
    data = fetch[reference.kind](reference, timeout, cap)
    if len(data) > cap:
        raise UsageError(f"{reference}: it gives more than {cap} bytes, which is no token")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        # `from None`: the exception holds the bytes.
        raise UsageError(f"{reference}: what it gives is not ASCII text") from None
    token = text.removesuffix("\n").removesuffix("\r")
    if reason := weakness(token):
        raise UsageError(f"{reference}: what it gives cannot be used as a token: {reason}")
    return Secret(token)


# --- the environment --------------------------------------------------------------------------

_taken: dict[str, Secret] = {}
"""What was taken out of os.environ, so that no child of ours inherits it."""

_taking = Lock()


def withhold(servers: Iterable[Server]) -> None:
    """Take the tokens that stand in our environment out of it, unread: no child inherits them."""
    for server in servers:
        for realm in server.realms:
            if isinstance(realm.token, Reference) and realm.token.kind == "env":
                _take(realm.token.words[0])


def _take(name: str) -> None:
    with _taking:
        if name in os.environ:
            _taken[name] = Secret(os.environ.pop(name))


def _from_environment(reference: Reference, _timeout: float, _cap: int) -> bytes:
    name = reference.words[0]
    _take(name)
    with _taking:
        if name not in _taken:
            raise UsageError(
                f"{reference}: the environment variable {name} is not set",
                f"set it where scimconf runs: export {name}=...",
            )
        return os.fsencode(_taken[name].reveal())


# --- a file -----------------------------------------------------------------------------------


def _from_file(reference: Reference, _timeout: float, cap: int) -> bytes:
    path = Path(reference.folder, os.path.expanduser(reference.words[0]))
    try:
        # Not blocking: a FIFO that nobody writes to would hold us for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{reference}: {path} is not a regular file")
            data = file.read(cap + 1)
    except OSError as error:
        raise UsageError(f"{reference}: cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{reference}: not a path") from None
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        _log.warning("%s: others can read %s (mode %04o): chmod 600 it", reference, path, mode)
    return data


# --- a command --------------------------------------------------------------------------------


def _from_command(reference: Reference, timeout: float, cap: int) -> bytes:
    try:
        process = subprocess.Popen(
            reference.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=reference.folder,
            start_new_session=True,  # no terminal, and one group to end
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not something that can be started"
        raise UsageError(f"{reference}: cannot start {reference.words[0]}: {reason}") from None
    try:
        data = _read(process, time.monotonic() + timeout, cap)
    finally:
        _end(process)
    if data is None:
        raise UsageError(
            f"{reference}: no token within {timeout:g} seconds",
            "it has no terminal and no input here; can it answer without asking anybody?",
        )
    if process.returncode and len(data) <= cap:
        code = process.returncode
        how = f"exited {code}" if code > 0 else f"was ended by signal {-code}"
        raise UsageError(
            f"{reference}: the command {how}",
            "run it by hand to see what it says; its messages are not shown, they may hold secrets",
        )
    return data


def _read(process: subprocess.Popen[bytes], deadline: float, cap: int) -> bytes | None:
    """Read stdout up to its end or one byte beyond `cap`; None if the deadline came first."""
    assert process.stdout is not None
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(data) <= cap:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            data += chunk
    if len(data) <= cap:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
    return data


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that has not ended by itself, and its children with it."""
    assert process.stdout is not None
    process.stdout.close()
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

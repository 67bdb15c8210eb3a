"""Tokens kept elsewhere: in the environment, in a file, or behind a command (never a shell).

What a command writes to stderr is not shown: some print the secret there when they fail.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from scimconf import child
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
        raise _too_large(reference, cap)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        # `from None`: the exception holds the bytes.
        raise UsageError(f"{reference}: what it gives is not ASCII text") from None
    token = text.removesuffix("\n").removesuffix("\r")
    if reason := weakness(token):
        raise UsageError(f"{reference}: what it gives cannot be used as a token: {reason}")
    return Secret(token)


def _too_large(reference: Reference, cap: int) -> UsageError:
    return UsageError(f"{reference}: it gives more than {cap} bytes, which is no token")


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
        ended = child.run(reference.words, seconds=timeout, most=cap, folder=reference.folder)
    except child.NotStartedError as error:
        raise UsageError(
            f"{reference}: cannot start {reference.words[0]}: {error.reason}"
        ) from None
    except child.TooMuchError:
        raise _too_large(reference, cap) from None
    except child.TooSlowError:
        raise UsageError(
            f"{reference}: no token within {timeout:g} seconds",
            "it has no terminal and no input here; can it answer without asking anybody?",
        ) from None
    if ended.status:
        raise UsageError(
            f"{reference}: the command {ended.how}",
            "run it by hand to see what it says; its messages are not shown, they may hold secrets",
        )
    return ended.out

"""Private keys: from files, and from the ssh agent."""

from __future__ import annotations

import base64
import binascii
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import paramiko  # type: ignore[import-untyped]
from paramiko.agent import AgentKey, AgentSSH  # type: ignore[import-untyped]

from scimconf.secret import Secret

_AGENT_TIMEOUT = 30.0
"""Seconds for one answer of the ssh agent, which may ask its user to confirm."""


class UnusableKeyError(Exception):
    """A key file that cannot be used; str() says why, without the file's name."""


def load(path: str, passphrase: Secret | None) -> paramiko.PKey:
    """Give the private key in a file. Raises UnusableKeyError."""
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError as error:
        raise UnusableKeyError(error.strerror) from error
    return _load(path, changed, passphrase)


@lru_cache(maxsize=64)
def _load(path: str, _changed: int, passphrase: Secret | None) -> paramiko.PKey:
    # Kept, since opening a key with a passphrase takes a quarter of a second of CPU, on purpose,
    # and a fleet is entered with one key.
    try:
        password = passphrase.reveal().encode() if passphrase else None
        return paramiko.PKey.from_path(path, password)
    except OSError as error:
        raise UnusableKeyError(error.strerror or str(error)) from error
    except (TypeError, paramiko.PasswordRequiredException) as error:
        if passphrase is None:
            raise UnusableKeyError("it has a passphrase, and none was given") from error
        return _load(path, _changed, None)  # the passphrase is another key's
    except Exception as error:  # each kind of key has its own way to fail
        if passphrase is not None and "PRIVATE KEY" in _beginning(path):
            raise UnusableKeyError("the passphrase does not open it") from error
        raise UnusableKeyError("it is not a private key that can be used") from error


def _beginning(path: str) -> str:
    with open(path, "rb") as stream:
        return stream.read(64).decode("ascii", "replace")


def public_blob(path: str) -> bytes | None:
    """Give the public key beside a private key file, None if there is none to be read."""
    try:
        fields = Path(f"{path}.pub").read_text(encoding="utf-8", errors="replace").split()
        return base64.b64decode(fields[1])
    except (OSError, IndexError, binascii.Error):
        return None


class _SshAgent(AgentSSH):  # type: ignore[misc]  # paramiko has no types
    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connect(connection)


@contextmanager
def agent_keys(path: str | None) -> Iterator[tuple[AgentKey, ...]]:
    """Give the keys of the ssh agent behind a socket; none if there is no agent.

    paramiko's own Agent knows SSH_AUTH_SOCK only, not ssh_config's IdentityAgent, and would wait
    for ever. Its keys sign through the one socket: each connection needs its own.
    """
    if path is None:
        yield ()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_AGENT_TIMEOUT)
        try:
            connection.connect(path)
            keys = _SshAgent(connection).get_keys()
        except (OSError, paramiko.SSHException):
            keys = ()  # a socket left behind by an agent that is gone
        yield keys

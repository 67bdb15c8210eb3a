"""Private keys: from files, and from the ssh agent; and what stands beside them."""

from __future__ import annotations

import base64
import binascii
import io
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import paramiko  # type: ignore[import-untyped]
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat
from paramiko.agent import AgentKey, AgentSSH  # type: ignore[import-untyped]
from paramiko.pkey import PublicBlob  # type: ignore[import-untyped]

from scimconf import files
from scimconf.secret import Secret

_AGENT_TIMEOUT = 30.0
"""Seconds for one answer of the ssh agent, which may ask its user to confirm."""
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_kept: deque[tuple[tuple[str, int, Secret | None], paramiko.PKey]] = deque(maxlen=64)
"""Opened keys. Opening one with a passphrase takes a quarter of a second of CPU, on purpose, and a
fleet is entered with one key."""
_opening = threading.Lock()


class UnusableKeyError(Exception):
    """A key file that cannot be used; str() says why, without the file's name."""


def load(path: str, passphrase: Secret | None) -> paramiko.PKey:
    """Give the private key in a file, of any kind and format that ssh-keygen makes.

    Raises UnusableKeyError.
    """
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError as error:
        raise UnusableKeyError(error.strerror) from error
    except ValueError as error:
        raise UnusableKeyError("this is not a file name") from error
    wanted = (path, changed, passphrase)
    with _opening:
        for known, key in _kept:
            if known == wanted:
                return key
        key = _load(path, passphrase)
        _kept.append((wanted, key))
    return key


def _load(path: str, passphrase: Secret | None) -> paramiko.PKey:
    try:
        data = files.read(path, files.MAX_KEY_BYTES)
    except OSError as error:
        raise UnusableKeyError(error.strerror or str(error)) from error
    if b"PRIVATE KEY-----" not in data[:64]:
        raise UnusableKeyError("it is not a private key")
    if b"sk-" in _kind(data):
        raise UnusableKeyError("it belongs to a security key: load it into ssh-agent (ssh-add)")
    try:
        return _for_paramiko(_opened(data, passphrase))
    except UnsupportedAlgorithm as error:
        raise UnusableKeyError("it is of a kind that cannot be used") from error
    except ValueError as error:
        if passphrase is not None:
            raise UnusableKeyError("the passphrase does not open it") from error
        raise UnusableKeyError("it is damaged, or of a kind that cannot be used") from error


def _opened(data: bytes, passphrase: Secret | None) -> object:
    read = (
        serialization.load_ssh_private_key
        if data.startswith(_OPENSSH)
        else serialization.load_pem_private_key
    )
    try:
        return read(data, passphrase.reveal().encode() if passphrase else None)
    except TypeError as error:
        if passphrase is None:
            raise UnusableKeyError("it has a passphrase, and none was given") from error
        return read(data, None)  # the passphrase is another key's


def _for_paramiko(key: object) -> paramiko.PKey:
    """Give the key in the one format that paramiko reads without fail.

    By itself it takes no PKCS#8, and no key of OpenSSH's own format that ends without padding.
    """
    match key:
        case RSAPrivateKey():
            made, form = paramiko.RSAKey, PrivateFormat.TraditionalOpenSSL
        case EllipticCurvePrivateKey():
            made, form = paramiko.ECDSAKey, PrivateFormat.TraditionalOpenSSL
        case Ed25519PrivateKey():
            made, form = paramiko.Ed25519Key, PrivateFormat.OpenSSH
        case _:
            raise UnusableKeyError("it is of a kind that cannot be used (DSA?)")
    text = key.private_bytes(serialization.Encoding.PEM, form, NoEncryption()).decode("ascii")
    return made.from_private_key(io.StringIO(text))


def _kind(data: bytes) -> bytes:
    """Give the beginning of a key in OpenSSH's own format, where its type can be read."""
    text = b"".join(data.removeprefix(_OPENSSH).split(b"\n")[:3])
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return b""


def public_blob(path: str) -> bytes | None:
    """Give the public key (or certificate) in a file, None if there is none to be read."""
    try:
        fields = files.read(path, files.MAX_KEY_BYTES).split()
        return base64.b64decode(fields[1])
    except (OSError, IndexError, binascii.Error):
        return None


class Certified:
    """A private key that shows a certificate in place of its public key."""

    def __init__(self, key: paramiko.PKey, certificate: bytes) -> None:
        self._key = key
        self.public_blob = PublicBlob.from_message(paramiko.Message(certificate))

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> Any:
        """As the key's own."""
        return self._key.sign_ssh_data(data, algorithm)


class HeldKey(AgentKey):  # type: ignore[misc]  # paramiko has no types
    """A key in the ssh agent. Of an RSA certificate paramiko would show the plain key."""

    def asbytes(self) -> bytes:
        """Give the public key, or the certificate, as the agent has it."""
        blob: bytes = self.blob
        return blob


class _SshAgent(AgentSSH):  # type: ignore[misc]  # paramiko has no types
    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connect(connection)


@contextmanager
def agent_keys(path: str | None) -> Iterator[Sequence[HeldKey]]:
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
            agent = _SshAgent(connection)
        except (OSError, paramiko.SSHException):
            yield ()  # a socket left behind by an agent that is gone
            return
        yield [HeldKey(agent, key.blob, key.comment) for key in agent.get_keys()]

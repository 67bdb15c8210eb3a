"""Private keys from files and from the ssh agent, and the public keys beside the files."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
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
"""Seconds for one answer of the ssh agent. It may ask its user to confirm."""
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_BLOCK = re.compile(
    rb"^(?:\xef\xbb\xbf)?(-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----[ \t\r]*\n"
    rb".*?^-----END \2-----)",
    re.MULTILINE | re.DOTALL,
)
_kept: deque[tuple[tuple[str, int, Secret | None], paramiko.PKey]] = deque(maxlen=64)
"""Opened keys. By design, opening a key with a passphrase takes 0.25 s of CPU, and a fleet often
uses one key."""
_opening = threading.Lock()


class UnusableKeyError(Exception):
    """A key file that cannot be used. str() is the reason, without the file name."""


def load(path: str, passphrase: Secret | None) -> paramiko.PKey:
    """Return the private key in a file, of every type and format that ssh-keygen writes.

    Raises UnusableKeyError.
    """
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError as error:
        raise UnusableKeyError(error.strerror) from error
    except ValueError as error:
        raise UnusableKeyError("it is not a valid file name") from error
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
    data = _block(data)
    if b"sk-" in _kind(data):
        raise UnusableKeyError("it needs a security key: load it into the ssh agent (ssh-add)")
    try:
        return _for_paramiko(_opened(data, passphrase))
    except UnsupportedAlgorithm as error:
        raise UnusableKeyError("its type is not supported") from error
    except ValueError as error:
        if passphrase is not None:
            raise UnusableKeyError("the passphrase does not open it") from error
        raise UnusableKeyError("it is damaged, or its type is not supported") from error


def _block(data: bytes) -> bytes:
    """Return the first private key in a file, without the text around it and CRLF.

    As ssh (libcrypto's PEM_read_bio), it skips other text and other blocks, such as the attributes
    that `openssl pkcs12` writes, EC parameters, or a certificate. Raises UnusableKeyError.
    """
    found = _BLOCK.search(data)
    if found is None:
        whole = b"PRIVATE KEY-----" in data
        raise UnusableKeyError("it is damaged" if whole else "it is not a private key")
    return b"".join(line.rstrip() + b"\n" for line in found[1].split(b"\n"))


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
        return read(data, None)  # the passphrase is for another key


def _for_paramiko(key: object) -> paramiko.PKey:
    """Convert the key to a format that paramiko can always read.

    paramiko reads no PKCS#8, and no key in OpenSSH's format that has no padding at its end.
    """
    match key:
        case RSAPrivateKey():
            made, form = paramiko.RSAKey, PrivateFormat.TraditionalOpenSSL
        case EllipticCurvePrivateKey():
            made, form = paramiko.ECDSAKey, PrivateFormat.TraditionalOpenSSL
        case Ed25519PrivateKey():
            made, form = paramiko.Ed25519Key, PrivateFormat.OpenSSH
        case _:
            raise UnusableKeyError("its type is not supported (DSA?)")
    text = key.private_bytes(serialization.Encoding.PEM, form, NoEncryption()).decode("ascii")
    return made.from_private_key(io.StringIO(text))


def _kind(data: bytes) -> bytes:
    """Return the start of a key in OpenSSH's format, which contains its type."""
    text = b"".join(data.removeprefix(_OPENSSH).split(b"\n")[:3])
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return b""


def public_blob(path: str) -> bytes | None:
    """Return the public key or certificate in a file; None if it cannot be read."""
    try:
        fields = files.read(path, files.MAX_KEY_BYTES).split()
        return base64.b64decode(fields[1])
    except (OSError, IndexError, binascii.Error):
        return None


class Certified:
    """A private key that sends a certificate instead of its public key."""

    def __init__(self, key: paramiko.PKey, certificate: bytes) -> None:
        self._key = key
        self.public_blob = PublicBlob.from_message(paramiko.Message(certificate))

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> Any:
        """Sign as the key itself does."""
        return self._key.sign_ssh_data(data, algorithm)


class HeldKey(AgentKey):  # type: ignore[misc]  # paramiko has no types
    """A key in the ssh agent. For an RSA certificate, paramiko would send the plain key."""

    def asbytes(self) -> bytes:
        """Return the public key or certificate, as the agent has it."""
        blob: bytes = self.blob
        return blob


class _SshAgent(AgentSSH):  # type: ignore[misc]  # paramiko has no types
    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connect(connection)


@contextmanager
def agent_keys(path: str | None) -> Iterator[Sequence[HeldKey]]:
    """Return the keys of the ssh agent behind a socket; none if there is no agent.

    paramiko's own Agent knows SSH_AUTH_SOCK but not IdentityAgent, and it has no time limit. Its
    keys sign through one socket, so each connection needs its own.
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
            yield ()  # the agent has ended and left its socket
            return
        yield [HeldKey(agent, key.blob, key.comment) for key in agent.get_keys()]

"""Public keys and certificates of OpenSSH (RFC 4253, 6.6; PROTOCOL.certkeys).

cryptography reads and verifies a host's certificate. This module reads three parts that it does not
return: the plain key and the authority as they are written (it drops the mark of a security key),
and the algorithm of the signature.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import SSHCertificate, SSHCertificateType

from scimconf.ssh.algorithms import ALL, Algorithms

SUFFIX = "-cert-v01@openssh.com"
_FIELDS = {
    "ssh-rsa": 2,
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
"""The type of a public key, and the number of fields that follow it."""
_DSA = "ssh-dss"
_DSA_FIELDS = 4
_LEAST_READ = 1024
"""Bits. OpenSSH reads no shorter RSA key (SSH_RSA_MINIMUM_MODULUS_SIZE)."""
_CERTIFIED = {kind.removesuffix("@openssh.com") + SUFFIX: kind for kind in _FIELDS}


class CertificateError(ValueError):
    """A certificate that is invalid, or not valid for the server. str() is the reason."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate whose structure is right. Its content has not been checked."""

    blob: bytes
    key: bytes
    """The certified public key, as a plain key."""
    authority: bytes
    """The public key of the authority that signed it."""
    signed_with: str
    """The algorithm of the signature."""


def parse(blob: bytes) -> Certificate:
    """Read a certificate. Raises CertificateError."""
    reader = _Reader(blob)
    plain = _CERTIFIED.get(reader.text())
    if plain is None:
        raise CertificateError("its type is not supported")
    reader.string()  # nonce
    start = reader.at
    for _ in range(_FIELDS[plain]):
        reader.string()
    key = _string(plain.encode()) + blob[start : reader.at]
    reader.take(8 + 4)  # serial number, type
    for _ in ("key id", "principals"):
        reader.string()
    reader.take(8 + 8)  # valid after, valid before
    for _ in ("critical options", "extensions", "reserved"):
        reader.string()
    authority = reader.string()
    signature = reader.string()
    if reader.at != len(blob):
        raise CertificateError("it is damaged")
    return Certificate(blob, key, authority, _Reader(signature).text())


def is_key(name: str, blob: bytes) -> bool:
    """Return True if the bytes are a complete public key of the type `name`, as for OpenSSH."""
    fields = _DSA_FIELDS if name == _DSA else _FIELDS.get(name)
    if fields is None:
        return False
    try:
        parts = _strings(blob)
        if parts[0] != name.encode() or len(parts) != 1 + fields:
            return False
        if (rsa_bits(blob) or _LEAST_READ) < _LEAST_READ:
            return False
        if name != _DSA and not name.startswith("sk-"):  # old versions do not know these two
            serialization.load_ssh_public_key(_line(name, blob))
    except Exception:  # cryptography raises several types for a damaged key
        return False
    return True


def kind(blob: bytes) -> str:
    """Return the type at the start of a public key or certificate. Raises CertificateError."""
    return _Reader(blob).text()


def rsa_bits(blob: bytes) -> int | None:
    """Return the size of an RSA key, or of the RSA key in a certificate; None for other keys."""
    try:
        reader = _Reader(blob)
        name = reader.text()
        if name.endswith(SUFFIX):
            return rsa_bits(parse(blob).key)
        if name != "ssh-rsa":
            return None
        reader.string()  # exponent
        return int.from_bytes(reader.string(), "big").bit_length()
    except CertificateError:
        return None


def check_host(
    certificate: Certificate, name: str, now: float, algorithms: Algorithms = ALL
) -> None:
    """Check that a certificate is valid for the host `name`. Raises CertificateError.

    The caller decides whether the authority is trusted. The rules are those of OpenSSH (sshkey.c,
    sshkey_cert_check_host) and of its newest versions: a certificate without names is invalid.
    """
    found = _load(certificate)
    if found.type is not SSHCertificateType.HOST:
        raise CertificateError("it is a user certificate, not a host certificate")
    if not found.valid_after <= now < found.valid_before:
        when = "has expired" if now >= found.valid_before else "is not valid yet"
        raise CertificateError(f"it {when}")
    names = [each.decode("utf-8", "replace") for each in found.valid_principals]
    if name not in names:
        raise CertificateError(f"it is valid for {', '.join(names) or 'no host at all'}")
    if found.critical_options:
        raise CertificateError("it has critical options that scimconf does not know")
    bits = rsa_bits(certificate.authority)
    if bits is not None and bits < algorithms.least_rsa:
        raise CertificateError(
            f"its authority has an RSA key of {bits} bits, and {algorithms.least_rsa} are required"
        )
    if certificate.signed_with not in algorithms.authorities:
        raise CertificateError(f"it is signed with {certificate.signed_with}")
    try:
        found.verify_cert_signature()
    except InvalidSignature as error:
        raise CertificateError("its signature is wrong") from error
    except Exception as error:  # cryptography raises several types for a damaged signature
        raise CertificateError("its signature cannot be checked") from error


def _load(certificate: Certificate) -> SSHCertificate:
    try:
        line = _line(kind(certificate.blob), certificate.blob)
        found = serialization.load_ssh_public_identity(line)
    except Exception as error:  # cryptography raises several types for a damaged certificate
        raise CertificateError("it is damaged") from error
    if not isinstance(found, SSHCertificate):
        raise CertificateError("it is not a certificate")
    return found


def _line(name: str, blob: bytes) -> bytes:
    return name.encode() + b" " + base64.b64encode(blob)


class _Reader:
    """Read the data types of RFC 4251, section 5. Raises CertificateError if data is missing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > len(self._data):
            raise CertificateError("it is damaged")
        return self._data[start : self.at]

    def string(self) -> bytes:
        (size,) = struct.unpack(">I", self.take(4))
        return self.take(size)

    def text(self) -> str:
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError as error:
            raise CertificateError("it is damaged") from error


def _strings(blob: bytes) -> list[bytes]:
    """Split a plain public key into its fields. Raises CertificateError."""
    reader = _Reader(blob)
    parts = [reader.string()]
    while reader.at != len(blob):
        parts.append(reader.string())
    return parts


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data

"""OpenSSH's certificates (PROTOCOL.certkeys): a key, names, and the signature of an authority."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import paramiko  # type: ignore[import-untyped]

from scimconf.ssh.algorithms import ALL, Algorithms

SUFFIX = "-cert-v01@openssh.com"
_HOST = 2
# The type of the key inside -> how many fields the public key has behind its type.
_FIELDS = {
    "ssh-rsa": 2,
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
_DSA = "ssh-dss"
_LEAST_READ = 1024
"""Bits of an RSA key that OpenSSH takes for one at all (SSH_RSA_MINIMUM_MODULUS_SIZE)."""
_CERTIFIED = {kind.removesuffix("@openssh.com") + SUFFIX: kind for kind in _FIELDS}


class CertificateError(ValueError):
    """A certificate that is none, or does not speak for the server; str() says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    kind: str
    """Its type, with SUFFIX."""
    key: bytes
    """The public key in it, as a plain one."""
    role: int
    """1: a user's, 2: a host's."""
    name: str
    """What the authority calls it."""
    principals: tuple[str, ...]
    """The users or hosts that it is for."""
    valid_after: int
    valid_before: int
    """Seconds since 1970; the end is not included."""
    critical: bytes
    """Conditions that have to be understood; there are none for hosts."""
    authority: bytes
    """The public key of who signed it."""
    signed: bytes
    signature: bytes


def parse(blob: bytes) -> Certificate:
    """Read a certificate. Raises CertificateError."""
    try:
        return _parse(blob)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise CertificateError("it is damaged") from error


def _parse(blob: bytes) -> Certificate:
    reader = _Reader(blob)
    found = reader.string().decode("ascii")
    plain = _CERTIFIED.get(found)
    if plain is None:
        raise CertificateError("it is of a kind that is not known")
    reader.string()  # the nonce
    start = reader.at
    for _ in range(_FIELDS[plain]):
        reader.string()
    key = _string(plain.encode()) + blob[start : reader.at]
    reader.number(8)  # the serial number
    role = reader.number(4)
    name = reader.string().decode("utf-8", "replace")
    inner = _Reader(reader.string())
    principals = []
    while inner.at < len(inner.data):
        principals.append(inner.string().decode("utf-8", "replace"))
    valid_after, valid_before = reader.number(8), reader.number(8)
    critical, _extensions, _reserved = reader.string(), reader.string(), reader.string()
    authority = reader.string()
    signed = blob[: reader.at]
    signature = reader.string()
    if reader.at != len(blob):
        raise IndexError
    return Certificate(
        found,
        key,
        role,
        name,
        tuple(principals),
        valid_after,
        valid_before,
        critical,
        authority,
        signed,
        signature,
    )


def is_key(name: str, blob: bytes) -> bool:
    """Return whether the bytes are a whole public key of the type `name`, as OpenSSH reads it."""
    fields = 4 if name == _DSA else _FIELDS.get(name)
    if fields is None:
        return False
    try:
        if kind(blob) != name:
            return False
        reader = _Reader(blob)
        for _ in range(1 + fields):
            reader.string()
        if reader.at != len(blob) or (rsa_bits(blob) or _LEAST_READ) < _LEAST_READ:
            return False
        if name != _DSA and not name.startswith("sk-"):  # which paramiko does not know
            paramiko.PKey.from_type_string(name, blob)
    except Exception:  # each kind of key has its own way to fail
        return False
    return True


def kind(blob: bytes) -> str:
    """Return the type that a public key or certificate begins with. Raises CertificateError."""
    try:
        return _Reader(blob).string().decode("ascii")
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise CertificateError("it is damaged") from error


def rsa_bits(blob: bytes) -> int | None:
    """Return the size of an RSA key, or of the one in a certificate; None for anything else."""
    try:
        found = kind(blob)
        if found.endswith(SUFFIX):
            return rsa_bits(parse(blob).key)
        reader = _Reader(blob)
        _kind, _exponent, modulus = (reader.string() for _ in range(3))
    except (CertificateError, struct.error, IndexError):
        return None
    return int.from_bytes(modulus, "big").bit_length() if found == "ssh-rsa" else None


class _Reader:
    """RFC 4251, 5: strings with their length before them, and numbers."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self, size: int) -> int:
        (value,) = struct.unpack_from(">Q" if size == 8 else ">I", self.data, self.at)
        self.at += size
        found: int = value
        return found

    def string(self) -> bytes:
        size = self.number(4)
        if self.at + size > len(self.data):
            raise IndexError
        self.at += size
        return self.data[self.at - size : self.at]


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def check_host(
    certificate: Certificate, name: str, now: float, algorithms: Algorithms = ALL
) -> None:
    """Make sure that a host's certificate speaks for `name`; who signed it is another question.

    The rules are those of OpenSSH (sshkey.c, sshkey_cert_check_host), and one of its newest: a
    certificate that names no host speaks for none. Raises CertificateError.
    """
    if certificate.role != _HOST:
        raise CertificateError("it is a user's certificate, not a host's")
    if not certificate.valid_after <= now < certificate.valid_before:
        when = "has expired" if now >= certificate.valid_before else "is not valid yet"
        raise CertificateError(f"it {when}")
    if name not in certificate.principals:
        names = ", ".join(certificate.principals) or "no host at all"
        raise CertificateError(f"it is for {names}")
    if certificate.critical:
        raise CertificateError("it has conditions that scimconf does not know")
    bits = rsa_bits(certificate.authority)
    if bits is not None and bits < algorithms.least_rsa:
        raise CertificateError(
            f"its authority has an RSA key of {bits} bits, and {algorithms.least_rsa} are the least"
        )
    form = kind(certificate.signature)
    if form not in algorithms.authorities:
        raise CertificateError(f"it is signed with {form}")
    if not _is_signed(certificate):
        raise CertificateError("its signature is wrong")


def _is_signed(certificate: Certificate) -> bool:
    try:
        form = _Reader(certificate.signature)
        for _ in ("kind", "signature"):  # paramiko is content with less than they say they are
            form.string()
        authority = paramiko.PKey.from_type_string(
            kind(certificate.authority), certificate.authority
        )
        signature = paramiko.Message(certificate.signature)
        return bool(authority.verify_ssh_sig(certificate.signed, signature))
    except Exception as error:  # each kind of key has its own way to fail
        raise CertificateError("its signature cannot be checked") from error

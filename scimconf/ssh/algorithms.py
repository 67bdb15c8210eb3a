"""The algorithms that scimconf accepts, in order of preference, and the smallest RSA key.

paramiko has more: ciphers in CBC mode, 3DES, MACs with MD5 and SHA-1. They are not accepted. A
server that offers nothing else is refused before any secret is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scimconf.errors import HostError
from scimconf.ssh.ssh_config import Settings

LEAST_RSA = 2048
"""Bits."""
CIPHERS = (
    "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
)  # fmt: skip
MACS = (
    "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256",
    "hmac-sha2-512",
)  # fmt: skip
KEX = (
    "mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512", "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)  # fmt: skip
SIGNATURES = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip
HOST_KEYS = (*SIGNATURES, *(f"{name}-cert-v01@openssh.com" for name in SIGNATURES))

_BY_KEYWORD = {
    "Ciphers": ("ciphers", CIPHERS),
    "MACs": ("macs", MACS),
    "KexAlgorithms": ("kex", KEX),
    "HostKeyAlgorithms": ("host_keys", HOST_KEYS),
    "CASignatureAlgorithms": ("authorities", SIGNATURES),
}


@dataclass(frozen=True, slots=True)
class Algorithms:
    """The algorithms that one connection may use."""

    ciphers: tuple[str, ...] = CIPHERS
    macs: tuple[str, ...] = MACS
    kex: tuple[str, ...] = KEX
    host_keys: tuple[str, ...] = HOST_KEYS
    """For plain keys and for certificates."""
    authorities: tuple[str, ...] = SIGNATURES
    """The signatures that a certificate may have."""
    least_rsa: int = LEAST_RSA
    """The bits that an RSA key must have: of a host, of an authority, and of the user."""


ALL = Algorithms()


def without_defaults(settings: Settings, usual: Settings) -> Settings:
    """Return the settings without the lists of algorithms that are ssh's defaults, `usual`.

    A default list must not restrict scimconf: the installed ssh may lack an algorithm that scimconf
    has.
    """
    lists = map(str.lower, _BY_KEYWORD)
    dropped = {each for each in lists if settings.all(each) == usual.all(each)}
    return Settings({name: given for name, given in settings.values.items() if name not in dropped})


def narrowed(settings: Settings, host: str) -> Algorithms:
    """Return our algorithms without those that ssh_config excludes for `host`.

    Raises HostError if none is left.
    """
    left: dict[str, Any] = {}
    for keyword, (field, ours) in _BY_KEYWORD.items():
        if given := settings.one(keyword.lower()):
            left[field] = tuple(name for name in ours if name in given.split(","))
            if not left[field]:
                raise HostError(
                    "connect",
                    f"your ssh_config allows no {keyword} for {host} that scimconf supports",
                    f"add one of these to {keyword}: {', '.join(ours)}",
                )
    least = int(settings.one("requiredrsasize") or 0)
    return replace(ALL, **left, least_rsa=max(LEAST_RSA, least))

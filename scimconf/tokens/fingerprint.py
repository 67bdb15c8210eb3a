"""Fingerprints: a salted, slow hash of a token, to tell tokens apart without having them.

passlib's `pbkdf2_sha256`, in its own text form `$pbkdf2-sha256$rounds$salt$checksum`. The agent
computes the same on the server, with hashlib (docs/agent.md, "observe").
"""

from __future__ import annotations

from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]
from passlib.utils.binary import ab64_decode  # type: ignore[import-untyped]

from scimconf.errors import UsageError
from scimconf.secret import Secret

ROUNDS = 29_000
_MOST_ROUNDS = 1_000_000
"""More would let a token file keep a server busy for minutes."""


def fingerprint(token: Secret) -> str:
    """Give a new fingerprint under a random salt; some 11 ms of work."""
    return str(pbkdf2_sha256.using(rounds=ROUNDS).hash(token.reveal()))


def matches(token: Secret, known: str) -> bool:
    """Say whether `known` is a fingerprint of this token. Raises UsageError if it is none."""
    check(known)
    return bool(pbkdf2_sha256.verify(token.reveal(), known))


def short(known: str) -> str:
    """Give the first four hex digits of a fingerprint's checksum, as the agent does."""
    check(known)
    checksum: bytes = ab64_decode(known.rpartition("$")[2])
    return checksum.hex()[:4]


def check(known: str) -> None:
    """Raise UsageError unless this is a fingerprint of a kind that we would make."""
    try:
        parsed = pbkdf2_sha256.from_string(known)
    except (ValueError, TypeError):
        parsed = None
    if parsed is None or not parsed.checksum or not 1 <= parsed.rounds <= _MOST_ROUNDS:
        raise UsageError(
            "not a fingerprint that scimconf makes: expected $pbkdf2-sha256$rounds$salt$checksum"
        )

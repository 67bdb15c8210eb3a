"""Fingerprints: salted hashes of a token and its place, to compare tokens without reading them.

The format is passlib's `pbkdf2_sha256`: `$pbkdf2-sha256$rounds$salt$checksum`. The agent computes
the same on the server, with hashlib (docs/agent.md, "observe").
"""

from __future__ import annotations

import json

from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]
from passlib.utils.binary import ab64_decode  # type: ignore[import-untyped]

from scimconf.errors import UsageError
from scimconf.model import Fingerprint
from scimconf.secret import Secret

ROUNDS = 29_000
"""For a token from elsewhere: it may be guessed, and each guess takes some 11 ms."""
ROUNDS_OF_GENERATED = 100
"""For a token that scimconf generated: nobody guesses 256 random bits, at any number of rounds."""
_MOST_ROUNDS = 100_000
"""With more, a token file could keep a server busy for minutes."""


def place_of(deployment: str, realm: str, created: str) -> str:
    """Return the text that is hashed after a token and binds its fingerprint to one place."""
    return json.dumps([deployment, realm, created])


def fingerprint(token: Secret, place: str, *, generated: bool = False) -> str:
    """Return a new fingerprint of a token at its place, with a random salt."""
    rounds = ROUNDS_OF_GENERATED if generated else ROUNDS
    return str(pbkdf2_sha256.using(rounds=rounds).hash(_bound(token, place)))


def matches(token: Secret, known: Fingerprint) -> bool:
    """Return whether `known` is the fingerprint of this token. Raises UsageError as `check`."""
    check(known.hash)
    return bool(pbkdf2_sha256.verify(_bound(token, known.place), known.hash))


def matches_unbound(token: Secret, known: str) -> bool:
    """Return whether `known` is a fingerprint of format 1, which is bound to no place."""
    check(known)
    return bool(pbkdf2_sha256.verify(token.reveal(), known))


def is_of_generated(known: str) -> bool:
    """Return whether the rounds say that scimconf generated the token, with 256 random bits."""
    check(known)
    return int(pbkdf2_sha256.from_string(known).rounds) == ROUNDS_OF_GENERATED


def _bound(token: Secret, place: str) -> str:
    return f"{token.reveal()}\n{place}"  # no token contains a line feed


def short(known: Fingerprint) -> str:
    """Return the first four hex digits of a fingerprint's checksum, as the agent does."""
    check(known.hash)
    checksum: bytes = ab64_decode(known.hash.rpartition("$")[2])
    return checksum.hex()[:4]


def check(known: str) -> None:
    """Raise UsageError unless scimconf could have made this fingerprint."""
    try:
        parsed = pbkdf2_sha256.from_string(known)
    except (ValueError, TypeError):
        parsed = None
    if parsed is None or not parsed.checksum or not 1 <= parsed.rounds <= _MOST_ROUNDS:
        raise UsageError(
            "not a fingerprint that scimconf makes: expected $pbkdf2-sha256$rounds$salt$checksum"
        )

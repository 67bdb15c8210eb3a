"""Compare tokens with fingerprints: passlib's `pbkdf2_sha256`, computed with hashlib alone.

A fingerprint is a mapping of `hash` and `place` (scimconf/tokens/fingerprint.py). The hash is of
the token, a line feed and the place that the token belongs to. Its text form is
`$pbkdf2-sha256$rounds$salt$checksum`, in base64 with "." for "+" and without padding
(passlib.utils.binascii.ab64_encode).
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import hmac
import re
from typing import Mapping, Tuple

from scimconf.agent.errors import AgentError

_FORMAT = re.compile(r"\$pbkdf2-sha256\$([1-9][0-9]{0,6})\$([A-Za-z0-9./]*)\$([A-Za-z0-9./]{43})")


def matches(token: str, known: Mapping[str, str]) -> bool:
    """Return whether a fingerprint is that of the token. Raises AgentError if it is malformed."""
    rounds, salt, checksum = _parts(known["hash"])
    return hmac.compare_digest(_hash(_bound(token, known), salt, rounds), checksum)


def short(known: Mapping[str, str]) -> str:
    """Return the first four hex digits of a fingerprint, so that people can compare two tokens.

    Show it only for a token that matches the fingerprint. A hash of any other token would help
    somebody who knows the salt to guess that token.
    """
    return _parts(known["hash"])[2].hex()[:4]


def _bound(token: str, known: Mapping[str, str]) -> str:
    return f"{token}\n{known['place']}"


@functools.lru_cache(maxsize=64)  # a hash takes 10 ms, and the same one may be needed twice
def _hash(text: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), salt, rounds)


def _parts(fingerprint: str) -> Tuple[int, bytes, bytes]:
    match = _FORMAT.fullmatch(fingerprint)
    try:
        if not match:
            raise ValueError
        rounds, salt, checksum = match.groups()
        return int(rounds), _base64(salt), _base64(checksum)
    except ValueError:
        raise AgentError("a fingerprint in the request is not in pbkdf2-sha256 format") from None


def _base64(text: str) -> bytes:
    return binascii.a2b_base64(text.replace(".", "+") + "=" * (-len(text) % 4))

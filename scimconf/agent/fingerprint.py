"""Fingerprints of tokens: passlib's `pbkdf2_sha256`, computed with hashlib alone.

What is hashed is the token, a line feed and the place that the token belongs to: a fingerprint is
a mapping of `hash` and `place` (scimconf/tokens/fingerprint.py).

The text form is `$pbkdf2-sha256$rounds$salt$checksum`, in base64 with "." for "+" and without
padding (passlib.utils.binascii.ab64_encode).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from typing import Mapping, Tuple

from scimconf.agent.errors import AgentError

_FORM = re.compile(r"\$pbkdf2-sha256\$([1-9][0-9]{0,6})\$([A-Za-z0-9./]*)\$([A-Za-z0-9./]{43})")


def matches(token: str, known: Mapping[str, str]) -> bool:
    """Return whether a fingerprint is that of the token. Raises AgentError if it is not one at all."""
    rounds, salt, checksum = _parts(known["hash"])
    return hmac.compare_digest(_hash(_bound(token, known), salt, rounds), checksum)


def short(known: Mapping[str, str]) -> str:
    """Return the first four hex digits of a fingerprint, to tell two tokens apart by eye.

    Only for a token that matches it: of any other token they would be a hash that somebody who
    knows the salt can try guesses against.
    """
    return _parts(known["hash"])[2].hex()[:4]


def _bound(token: str, known: Mapping[str, str]) -> str:
    return f"{token}\n{known['place']}"


@functools.lru_cache(maxsize=64)  # the same one may be asked for twice: 10 ms each
def _hash(text: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), salt, rounds)


def _parts(fingerprint: str) -> Tuple[int, bytes, bytes]:
    form = _FORM.fullmatch(fingerprint)
    if not form:
        raise AgentError("a fingerprint in the request is not a pbkdf2-sha256 one")
    rounds, salt, checksum = form.groups()
    return int(rounds), _base64(salt), _base64(checksum)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4))
    except ValueError:
        raise AgentError("a fingerprint in the request is not a pbkdf2-sha256 one") from None

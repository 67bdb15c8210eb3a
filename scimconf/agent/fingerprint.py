"""Fingerprints of tokens: passlib's `pbkdf2_sha256`, computed with hashlib alone.

The text form is `$pbkdf2-sha256$rounds$salt$checksum`, in base64 with "." for "+" and without
padding (passlib.utils.binascii.ab64_encode).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from typing import Optional, Tuple

from scimconf.agent.trouble import Trouble

_FORM = re.compile(r"\$pbkdf2-sha256\$([1-9][0-9]{0,6})\$([A-Za-z0-9./]*)\$([A-Za-z0-9./]{43})")
_ROUNDS = 29_000


def matches(token: str, fingerprint: str) -> bool:
    """Say whether a fingerprint is that of the token. Raises Trouble if it is not one at all."""
    rounds, salt, checksum = _parts(fingerprint)
    return hmac.compare_digest(_hash(token, salt, rounds), checksum)


def short(token: str, fingerprint: Optional[str], realm: str) -> str:
    """Give the first four hex digits of the token's hash, to tell two tokens apart by eye.

    Salted as the fingerprint asked about, so that both sides can be compared; where there is
    none, with the realm.
    """
    if fingerprint is None:
        rounds, salt = _ROUNDS, f"scimconf:{realm}".encode()
    else:
        rounds, salt, _ = _parts(fingerprint)
    return _hash(token, salt, rounds).hex()[:4]


@functools.lru_cache(maxsize=64)  # `matches` and `short` ask for the same one: 10 ms each
def _hash(token: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", token.encode(), salt, rounds)


def _parts(fingerprint: str) -> Tuple[int, bytes, bytes]:
    form = _FORM.fullmatch(fingerprint)
    if not form:
        raise Trouble("a fingerprint in the request is not a pbkdf2-sha256 one")
    rounds, salt, checksum = form.groups()
    return int(rounds), _base64(salt), _base64(checksum)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4))
    except ValueError:
        raise Trouble("a fingerprint in the request is not a pbkdf2-sha256 one") from None

"""How hard a token is to guess, judged by its text alone.

A fingerprint of every token stands in the token file, which may be in git: whoever reads it can
try guesses at leisure. So nothing weaker than 20 random letters and digits is used.
"""

from __future__ import annotations

import math
import string
from itertools import pairwise

from scimconf.secret import Secret
from scimconf.zulip.bearer import why_unusable

MINIMUM_BITS = 119
"""What 20 random letters and digits hold: 20 * log2(62) = 119.08."""

_ALPHABETS = (
    string.digits,
    "0123456789abcdef",
    "0123456789ABCDEF",
    string.ascii_lowercase,
    string.ascii_uppercase,
    string.ascii_lowercase + string.digits,
    string.ascii_uppercase + string.digits,
    string.ascii_letters + string.digits,
    string.ascii_letters + string.digits + string.punctuation,
)
"""The alphabets that people draw tokens from, the smallest first."""

_FEWEST_DIFFERENT = 8
_LONGEST_RUN = 4


def weakness_of(token: Secret) -> str:
    """Say why this token must not be used, "" if it may, as `weakness`."""
    return weakness(token.reveal())


def weakness(token: str) -> str:
    """Say why this token must not be used, "" if it may.

    The bits are counted as if each character had been drawn at random from the smallest alphabet
    that holds them all; repetitions and runs such as "abcdef" or "1111" count once. No more can
    be told of a text without knowing how it was made.
    """
    if reason := why_unusable(token):
        return reason
    bits = _drawn(token) * math.log2(len(_alphabet(token)))
    if bits < MINIMUM_BITS:
        return (
            f"it is worth about {int(bits)} bits; {MINIMUM_BITS} are the least, "
            "which is 20 random letters and digits"
        )
    if len(set(token)) < _FEWEST_DIFFERENT:
        return f"it holds fewer than {_FEWEST_DIFFERENT} different characters"
    return ""


def _alphabet(token: str) -> str:
    return next(alphabet for alphabet in _ALPHABETS if set(token) <= set(alphabet))


def _drawn(token: str) -> int:
    """Count the characters that cannot be told from those before them."""
    period = (token + token).find(token, 1)
    unit = token[:period]
    steps = [ord(b) - ord(a) for a, b in pairwise(unit)]
    predicted = run = 0
    for before, step in pairwise(steps):
        run = run + 1 if step == before else 0
        predicted += run >= _LONGEST_RUN - 2
    return len(unit) - predicted

"""Judge from a token's text how hard it is to guess.

The token file contains a fingerprint of every token and may be in git. Anybody who reads it can try
guesses against the fingerprint. So scimconf uses no token that is weaker than 20 random letters and
digits.
"""

from __future__ import annotations

import math
import string
from itertools import pairwise

from scimconf.secret import Secret
from scimconf.zulip.bearer import why_unusable

MINIMUM_BITS = 119
"""What 20 random letters and digits hold: 20 * log2(62) = 119.08."""

UNUSABLE = "this encrypted value cannot be used as a token"
"""The message about an encrypted value, which may be any: it says nothing about it."""
UNUSABLE_HINT = (
    "a token has at least 20 random letters and digits, and a reference (env:, file:, command:) "
    "is written in clear"
)

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
"""The alphabets of common tokens, the smallest first."""

_FEWEST_DIFFERENT = 8
_LONGEST_RUN = 4


def weakness_of(token: Secret) -> str | None:
    """Return why this token must not be used, or None, as `weakness` does."""
    return weakness(token.reveal())


def weakness(token: str) -> str | None:
    """Return why this token must not be used, or None if it can be used.

    Count the bits as if each character was drawn at random from the smallest alphabet that contains
    them all. Count repetitions and runs such as "abcdef" or "1111" once. A text does not reveal
    more without knowledge of how it was made.
    """
    if reason := why_unusable(token):
        return reason
    bits = _drawn(token) * math.log2(len(_alphabet(token)))
    if bits < MINIMUM_BITS:
        return (
            f"it has about {int(bits)} bits; {MINIMUM_BITS} are needed, which is 20 random letters "
            "and digits"
        )
    if len(set(token)) < _FEWEST_DIFFERENT:
        return f"it contains fewer than {_FEWEST_DIFFERENT} different characters"
    return None


def _alphabet(token: str) -> str:
    return next(alphabet for alphabet in _ALPHABETS if set(token) <= set(alphabet))


def _drawn(token: str) -> int:
    """Count the characters that those before them do not predict."""
    period = (token + token).find(token, 1)
    repeated = token[:period]
    steps = [ord(b) - ord(a) for a, b in pairwise(repeated)]
    predicted = run = 0
    for before, step in pairwise(steps):
        run = run + 1 if step == before else 0
        predicted += run >= _LONGEST_RUN - 2
    return len(repeated) - predicted

"""New tokens, from the operating system's random numbers by way of passlib.pwd."""

from __future__ import annotations

import math
from collections.abc import Callable

from passlib import pwd  # type: ignore[import-untyped]

from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.tokens.strength import MINIMUM_BITS, weakness

CHARSETS = ("ascii_62", "ascii_50", "hex")
"""Letters and digits; the same without look-alikes; hexadecimal. All stand in a header as they
are, in a shell and in YAML too; passlib's ascii_72 does not."""

_USUAL_LENGTH = 43
"""Characters: what 256 bits take of letters and digits."""

_LONGEST = 1024
"""Characters. Web servers take headers of 4 to 8 KiB."""


def generate(entropy: int = 256, length: int | None = None, charset: str = "ascii_62") -> Secret:
    """Give a random token of at least `entropy` bits; `length` in characters overrides it.

    The default is 43 letters and digits. Raises UsageError below MINIMUM_BITS.
    """
    if charset not in CHARSETS:
        raise UsageError(f"unknown character set {charset!r}", f"one of {', '.join(CHARSETS)}")
    per_character = math.log2(len(pwd.default_charsets[charset]))
    if length is None:
        _refuse_weak(entropy, f"{entropy} bits")
        length = math.ceil(min(entropy, 8 * _LONGEST) / per_character)
    else:
        length = min(length, _LONGEST + 1)
        _refuse_weak(int(length * per_character), f"{length} characters of {charset}")
    if length > _LONGEST:
        raise UsageError(
            f"a token of more than {_LONGEST} characters may not fit into a header",
            "the default, 256 bits, is 43 letters and digits",
        )
    return _strong(lambda: str(pwd.genword(length=length, charset=charset)))


def is_like_generated(secret: Secret) -> bool:
    """Return whether a text has the form of a token that scimconf makes by default."""
    text = secret.reveal()
    return len(text) == _USUAL_LENGTH and text.isascii() and text.isalnum()


def phrase(entropy: int = 128) -> Secret:
    """Give a token of random words with hyphens between, of at least `entropy` bits.

    For tokens that somebody has to read out or type. The words are the EFF's long list, 12.9 bits
    each. Raises UsageError below MINIMUM_BITS.
    """
    _refuse_weak(entropy, f"{entropy} bits")
    if entropy > _LONGEST:
        raise UsageError(f"a phrase of more than {_LONGEST} bits may not fit into a header")
    return _strong(lambda: str(pwd.genphrase(entropy=entropy, wordset="eff_long", sep="-")))


def _refuse_weak(bits: int, what: str) -> None:
    if bits < MINIMUM_BITS:
        raise UsageError(
            f"{what}: too weak for a token: {bits} bits, {MINIMUM_BITS} are the least",
            "a fingerprint of each token is kept in the token file and invites guessing; "
            "20 letters and digits are enough, the default is 43",
        )


def _strong(draw: Callable[[], str]) -> Secret:
    """Draw until the token looks strong too: one short one in some hundreds does not."""
    while weakness(token := draw()):
        pass
    return Secret(token)

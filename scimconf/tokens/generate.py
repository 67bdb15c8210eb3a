"""Generate tokens with passlib.pwd, from the operating system's random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from passlib import pwd  # type: ignore[import-untyped]

from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.tokens.strength import MINIMUM_BITS, weakness

CHARSETS = ("ascii_62", "ascii_50", "hex")
"""Letters and digits; the same without look-alikes; hexadecimal. None needs quotes in a header, a
shell or YAML, unlike passlib's ascii_72."""

_USUAL_LENGTH = 43
"""Letters and digits that hold 256 bits."""

_LONGEST = 1024
"""Characters. Web servers accept headers of 4 to 8 KiB."""


def generate(entropy: int = 256, length: int | None = None, charset: str = "ascii_62") -> Secret:
    """Return a random token of at least `entropy` bits; `length` in characters overrides it.

    The default is 43 letters and digits. Raises UsageError below MINIMUM_BITS.
    """
    if charset not in CHARSETS:
        raise UsageError(f"unknown character set {charset!r}", f"use {', '.join(CHARSETS)}")
    per_character = math.log2(len(pwd.default_charsets[charset]))
    if length is None:
        _check_entropy(entropy)
        length = math.ceil(min(entropy, 8 * _LONGEST) / per_character)
    else:
        length = min(length, _LONGEST + 1)
        bits = int(length * per_character)
        if bits < MINIMUM_BITS:
            raise UsageError(
                f"a token of {length} characters of {charset} is too weak: it has {bits} bits, "
                f"{MINIMUM_BITS} are needed",
                f"use --length {math.ceil(MINIMUM_BITS / per_character)} or more",
            )
    if length > _LONGEST:
        raise UsageError(
            f"a token of more than {_LONGEST} characters may not fit into a header",
            "leave the length out: the default is 43 letters and digits, 256 bits",
        )
    return _strong(lambda: str(pwd.genword(length=length, charset=charset)))


def looks_generated(secret: Secret) -> bool:
    """Return whether a text has the form of a token that scimconf generates by default."""
    text = secret.reveal()
    return len(text) == _USUAL_LENGTH and text.isascii() and text.isalnum()


def phrase(entropy: int = 128) -> Secret:
    """Return a token of random words, joined by hyphens, of at least `entropy` bits.

    For tokens that people read out or type. The words are from the EFF's long list, 12.9 bits each.
    Raises UsageError below MINIMUM_BITS.
    """
    _check_entropy(entropy)
    if entropy > _LONGEST:
        raise UsageError(f"a phrase of more than {_LONGEST} bits may not fit into a header")
    return _strong(lambda: str(pwd.genphrase(entropy=entropy, wordset="eff_long", sep="-")))


def _check_entropy(bits: int) -> None:
    if bits < MINIMUM_BITS:
        raise UsageError(
            f"a token of {bits} bits is too weak: {MINIMUM_BITS} are needed, because the "
            "fingerprint in the token file helps to guess a weak token",
            f"use --entropy {MINIMUM_BITS} or more, or leave it out",
        )


def _strong(draw: Callable[[], str]) -> Secret:
    """Draw until `weakness` accepts the token: it rejects one in some hundred short ones."""
    while weakness(token := draw()) is not None:
        pass
    return Secret(token)

"""A value that cannot be printed by accident, and the log formatter that redacts what slips by.

The text of a Secret is reached by one call, `reveal()`; a test holds which rooms make it.
"""

from __future__ import annotations

import hmac
import logging
import re
from threading import Lock
from typing import NoReturn
from weakref import WeakSet

MASK = "<secret>"

_LONG_ENOUGH = 6
"""Characters. Anything shorter is also part of ordinary words, and stays."""

_HEADER = re.compile(r"(?i)\b(bearer +)[^\s'\"<]+")


class Secret:
    """A text that str, repr, format, pickle and JSON do not show.

    Compared in constant time; hashable by identity only, so that no set or dict order tells
    anything of it.
    """

    __slots__ = ("__text", "__weakref__")

    def __init__(self, text: str) -> None:
        self.__text = text
        with _lock:
            _alive.add(self)

    def reveal(self) -> str:
        """Give the clear text. Only rooms that must hand it on may call this."""
        return self.__text

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __len__(self) -> int:
        return len(self.__text)

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (text.encode(errors="surrogatepass") for text in (self.__text, other.__text))
        return hmac.compare_digest(mine, theirs)

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied to disk")


_alive: WeakSet[Secret] = WeakSet()
_lock = Lock()


def redact(text: str) -> str:
    """Give a text with every secret that is alive, and every bearer token, replaced by the mask."""
    if not text:
        return text
    with _lock:
        texts = {secret.reveal() for secret in _alive}
    for secret in sorted(texts, key=len, reverse=True):
        if len(secret) >= _LONG_ENOUGH:
            text = text.replace(secret, MASK)
    return _HEADER.sub(rf"\g<1>{MASK}", text)


class RedactingFormatter(logging.Formatter):
    """Formats a record, its traceback included, and redacts the whole."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record's text without secrets."""
        return redact(super().format(record))

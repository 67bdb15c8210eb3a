"""A value that cannot be printed by accident, and the log filter that redacts what slips through.

The text of a Secret is reached by one call, `reveal()`; a test holds which rooms make it.
"""

from __future__ import annotations

import hmac
import logging
from typing import NoReturn

MASK = "<secret>"


class Secret:
    """A text that str, repr, format, pickle and JSON do not show.

    Compared in constant time; hashable by identity only, so that no set or dict order tells
    anything of it.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

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
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied to disk")

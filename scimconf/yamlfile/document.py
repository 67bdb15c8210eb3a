"""A YAML file as plain data, with the position of every key and value."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from scimconf.model import Position

KeyPath = tuple[Hashable, ...]
"""The keys and list indexes from the top of a document to a value."""


class Span(NamedTuple):
    """Offsets of a key (or list item), of its value, and of the end of the value."""

    key: int
    value: int
    end: int

    @classmethod
    def of(cls, packed: int) -> Span:
        """Return the span of one number (see `pack`)."""
        return cls(packed >> 64, packed >> 32 & _OFFSET, packed & _OFFSET)


_OFFSET = 0xFFFFFFFF


def pack(key: int, value: int, end: int) -> int:
    """Return a span as one number: a file can have a million, and a Span has four objects."""
    return key << 64 | value << 32 | end


@dataclass(frozen=True)
class Document:
    """The data of a YAML file, its text, and the positions of its keys and values.

    `data` holds dict, list, str, int, float, bool, None, date, datetime, `VaultValue` for `!vault`
    and `Unsafe` for `!unsafe`. It is None for an empty file.
    """

    file: str
    text: str = field(repr=False)
    data: object = field(repr=False)
    _spans: Mapping[int, Mapping[Hashable, int]] = field(repr=False)
    """By the id of a mapping or list: its keys or indexes, each with its packed span."""
    is_json: bool = False
    key: bytes | None = field(default=None, repr=False)
    """Of a file that is encrypted as a whole: a secret key that belongs to its ciphertext. The
    positions are then those of the decrypted text. None for any other file."""

    def position(self, path: KeyPath) -> Position:
        """Return the position of the key (or list item) at the end of `path`.

        An entry without a position of its own (merged by `<<`, or missing) has the position of its
        nearest parent. The whole document is at 1:1.
        """
        span = self._span(path)
        return self.at(span.key if span else 0)

    def value_position(self, path: KeyPath) -> Position:
        """Return the position of the value at the end of `path`; see `position`."""
        span = self._span(path)
        return self.at(span.value if span else 0)

    def line_span(self, path: KeyPath) -> tuple[int, int]:
        """Return the first and the last line (from 1, inclusive) of the entry at `path`.

        The entry reaches from its key to the last character of its value, without the comments
        around it. Raises KeyError for an entry without a position of its own.
        """
        parent: Any = self.data
        for step in path[:-1]:
            parent = parent[step]
        span = Span.of(self._spans[id(parent)][path[-1]])
        length = max(len(self.text[span.key : span.end].rstrip()), 1)
        return self.at(span.key).line, self.at(span.key + length - 1).line

    def _span(self, path: KeyPath) -> Span | None:
        found: int | None = None
        value: Any = self.data
        for step in path:
            spans = self._spans.get(id(value))
            if spans is None:
                break
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
            found = spans.get(step, found)
        return None if found is None else Span.of(found)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self.text))]

    def at(self, offset: int) -> Position:
        """Return the position of the character at `offset` of the text."""
        line = bisect_right(self._line_starts, offset)
        return Position(self.file, line, offset - self._line_starts[line - 1] + 1)

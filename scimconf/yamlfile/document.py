"""A YAML file as plain data that still knows where everything stood."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from scimconf.model import Position

KeyPath = tuple[Hashable, ...]
"""The keys and list indexes that lead from the top of a document to a value."""


class Span(NamedTuple):
    """Offsets of a key (or list item), of its value, and of the value's end."""

    key: int
    value: int
    end: int


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data, with its text and the place of every key and value.

    `data` holds dict, list, str, int, float, bool, None, date, datetime, `VaultValue` for
    `!vault` and `Unsafe` for `!unsafe`; an empty file gives None.
    """

    file: str
    text: str = field(repr=False)
    data: object = field(repr=False)
    _spans: Mapping[int, Mapping[Hashable, Span]] = field(repr=False)
    is_json: bool = False

    def position(self, way: KeyPath) -> Position:
        """Give the place of the key (or list item) at the end of `way`.

        What has no place of its own, because it came by `<<` or is not there, has its nearest
        parent's; the whole document is at 1:1.
        """
        span = self._span(way)
        return self.at(span.key if span else 0)

    def value_position(self, way: KeyPath) -> Position:
        """Give the place of the value at the end of `way`; see `position`."""
        span = self._span(way)
        return self.at(span.value if span else 0)

    def line_span(self, way: KeyPath) -> tuple[int, int]:
        """Give the first and last line (from 1, both included) of the entry at `way`.

        From its key to the last character of its value; comments around it are outside. Raises
        KeyError for an entry that has no place of its own.
        """
        parent: Any = self.data
        for step in way[:-1]:
            parent = parent[step]
        span = self._spans[id(parent)][way[-1]]
        end = max(len(self.text[span.key : span.end].rstrip()), 1)
        return self.at(span.key).line, self.at(span.key + end - 1).line

    def _span(self, way: KeyPath) -> Span | None:
        found: Span | None = None
        at: Any = self.data
        for step in way:
            spans = self._spans.get(id(at))
            if spans is None:
                break
            try:
                at = at[step]
            except (KeyError, IndexError, TypeError):
                break
            found = spans.get(step, found)
        return found

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self.text))]

    def at(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset)
        return Position(self.file, line, offset - self._line_starts[line - 1] + 1)

"""Find the items of a dict literal in the text."""

from __future__ import annotations

import ast
import re
from typing import Iterator, NamedTuple, Optional, Tuple

from scimconf.agent.errors import Refusal
from scimconf.agent.source import Source

_BETWEEN = re.compile(r"[ \t\f]+|\\?(?:\r\n|\r|\n)|#[^\r\n]*|[(),]")
"""One piece of the text between a value and the next key."""


class Item(NamedTuple):
    """One `key: value`, with the parentheses around them."""

    start: int
    end: int
    comma: Optional[int]
    """The offset of the comma after it."""


class Layout(NamedTuple):
    """A dict literal. `opening` is the offset after its "{", `closing` that of its "}"."""

    opening: int
    closing: int
    items: Tuple[Item, ...]


def layout(source: Source, display: ast.Dict) -> Layout:
    """Find the items of a dict literal without `**`."""
    start, end = source.span(display)
    opening, closing = start + 1, end - 1
    keys = [source.span(key)[0] for key in display.keys if key]
    values = [source.span(value)[1] for value in display.values]
    items = []
    before = opening
    for index, (key, value) in enumerate(zip(keys, values)):
        starts = [at for at, mark in between(source.text, before, key) if mark == "("]
        until = keys[index + 1] if index + 1 < len(keys) else closing
        marks = list(between(source.text, value, until))
        comma = next((at for at, mark in marks if mark == ","), None)
        before = until if comma is None else comma + 1
        ends = [at + 1 for at, mark in marks if mark == ")" and at < before]
        items.append(Item(min([*starts, key]), max([value, *ends]), comma))
    return Layout(opening, closing, tuple(items))


def between(text: str, start: int, end: int) -> Iterator[Tuple[int, str]]:
    """Yield each piece of the text between a value and the next key, with its offset."""
    while start < end:
        match = _BETWEEN.match(text, start, end)
        if not match:
            raise Refusal("the text between two entries cannot be parsed")
        yield start, match.group()
        start = match.end()

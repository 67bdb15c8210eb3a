"""Where the items of a dict display stand in the text, and how one is put in or taken out.

All functions give a new text. Putting an item in and taking it out again gives the old text,
whatever the style of the dict: trailing comma or none, one line or many, comments between.
"""

from __future__ import annotations

import ast
import re
from typing import Iterator, NamedTuple, Optional, Tuple

from scimconf.agent.errors import Refusal
from scimconf.agent.source import Source

INDENT = "    "

_BETWEEN = re.compile(r"[ \t\f]+|\\?(?:\r\n|\r|\n)|#[^\r\n]*|[(),]")
"""All that can stand between a value and the next key, piece by piece."""
_REST_OF_LINE = re.compile(r"[ \t\f]*(?:#[^\r\n]*)?(?=[\r\n])")
_BLANKS = re.compile(r"[ \t\f]*")
_BLANKS_BEFORE = re.compile(r"(\r\n|\r|\n)?[ \t\f]*\Z")
_NEWLINE = re.compile(r"\r\n|\r|\n")


class Item(NamedTuple):
    """One `key: value`, brackets around them included."""

    start: int
    end: int
    comma: Optional[int]
    """Where the comma after it stands."""


class Layout(NamedTuple):
    """A dict display: `opening` is the offset behind its "{", `closing` that of its "}"."""

    opening: int
    closing: int
    items: Tuple[Item, ...]


def layout(source: Source, display: ast.Dict) -> Layout:
    """Find the items of a dict display, which has no `**`."""
    start, end = source.span(display)
    opening, closing = start + 1, end - 1
    keys = [source.span(key)[0] for key in display.keys if key]
    values = [source.span(value)[1] for value in display.values]
    items = []
    before = opening
    for index, (key, value) in enumerate(zip(keys, values)):
        starts = [at for at, mark in _between(source.text, before, key) if mark == "("]
        until = keys[index + 1] if index + 1 < len(keys) else closing
        marks = list(_between(source.text, value, until))
        comma = next((at for at, mark in marks if mark == ","), None)
        before = until if comma is None else comma + 1
        ends = [at + 1 for at, mark in marks if mark == ")" and at < before]
        items.append(Item(min([*starts, key]), max([value, *ends]), comma))
    return Layout(opening, closing, tuple(items))


def replaced(text: str, item: Item, entry: str) -> str:
    """Give the text with another entry in place of the item."""
    return text[: item.start] + entry + text[item.end :]


def added(text: str, where: Layout, entry: str, newline: str, indent: str = INDENT) -> str:
    """Return the text with an entry after the last item, with a comma only if that one has one.

    `indent` is how deep an entry stands that gets a line of its own.
    """
    if not where.items:
        at = where.closing
        return text[:at] + newline + indent + entry + newline + text[at:]
    last = where.items[-1]
    anchor = last.end if last.comma is None else last.comma + 1
    comma_before, comma_after = (",", "") if last.comma is None else ("", ",")
    rest = _REST_OF_LINE.match(text, anchor)
    if rest:  # a comment behind the last item stays with it
        comment, at, gap = rest.group(), rest.end(), newline + indent
    else:
        comment, at, gap = "", anchor, " "
    return text[:anchor] + comma_before + comment + gap + entry + comma_after + text[at:]


def removed(text: str, where: Layout, index: int) -> str:
    """Give the text without one item, its line and the comment behind it; other comments stay."""
    item = where.items[index]
    start, end = item.start, item.end if item.comma is None else item.comma + 1
    blanks = _BLANKS_BEFORE.search(text, where.opening, start)
    rest = _REST_OF_LINE.match(text, end)
    starts_line = bool(blanks and blanks.group(1))
    if starts_line and rest:
        start, end = blanks.start() if blanks else start, rest.end()
        if len(where.items) == 1:
            end = _to_closing(text, where, start, end)
    elif starts_line or not blanks or blanks.start() == start:
        following = _BLANKS.match(text, end)
        end = following.end() if following else end
    else:
        start = blanks.start()
    head = text[:start]
    if item.comma is None and index > 0:
        comma = where.items[index - 1].comma
        head = head if comma is None else head[:comma] + head[comma + 1 :]
    return head + text[end:]


def _to_closing(text: str, where: Layout, start: int, end: int) -> int:
    """Take the line end before the closing bracket too, so that `{}` stays, not `{` and `}`."""
    newline = _NEWLINE.match(text, end)
    if text.endswith("\\", 0, start):  # a continuation needs its line end
        return end
    *_, last = ("", *(mark for _, mark in _between(text, where.opening, start)))
    if newline and newline.end() == where.closing and not last.startswith("#"):
        return newline.end()
    return end


def _between(text: str, start: int, end: int) -> Iterator[Tuple[int, str]]:
    while start < end:
        match = _BETWEEN.match(text, start, end)
        if not match:
            raise Refusal("the text between two entries cannot be made out")
        yield start, match.group()
        start = match.end()

"""Add, replace or remove an item of a dict literal.

All functions return a new text. Adding an item and removing it again restores the old text, in
every style: with or without a trailing comma, on one line or many, with comments between.
"""

from __future__ import annotations

import re

from scimconf.agent.layout import Item, Layout, between

INDENT = "    "

_REST_OF_LINE = re.compile(r"[ \t\f]*(?:#[^\r\n]*)?(?=[\r\n])")
_SPACES_BEFORE = re.compile(r"(\r\n|\r|\n)?[ \t\f]*\Z")
_SPACES = re.compile(r"[ \t\f]*")
_NEWLINE = re.compile(r"\r\n|\r|\n")


def replaced(text: str, item: Item, entry: str) -> str:
    """Return the text with an item replaced by an entry."""
    return text[: item.start] + entry + text[item.end :]


def added(text: str, where: Layout, entry: str, newline: str, indent: str = INDENT) -> str:
    """Return the text with an entry after the last item. It gets a comma if the last item has one.

    `indent` is used if the entry gets a line of its own.
    """
    if not where.items:
        at = where.closing
        return text[:at] + newline + indent + entry + newline + text[at:]
    last = where.items[-1]
    anchor = last.end if last.comma is None else last.comma + 1
    comma_before, comma_after = (",", "") if last.comma is None else ("", ",")
    rest = _REST_OF_LINE.match(text, anchor)
    if rest:  # a comment after the last item stays with it
        comment, at, gap = rest.group(), rest.end(), newline + indent
    else:
        comment, at, gap = "", anchor, " "
    return text[:anchor] + comma_before + comment + gap + entry + comma_after + text[at:]


def removed(text: str, where: Layout, index: int) -> str:
    """Return the text without one item, its line and the comment after it. Keep other comments."""
    item = where.items[index]
    start, end = item.start, item.end if item.comma is None else item.comma + 1
    spaces = _SPACES_BEFORE.search(text, where.opening, start)
    rest = _REST_OF_LINE.match(text, end)
    starts_line = bool(spaces and spaces.group(1))
    if starts_line and rest:
        start, end = spaces.start() if spaces else start, rest.end()
        if len(where.items) == 1:
            end = _to_closing(text, where, start, end)
    elif starts_line or not spaces or spaces.start() == start:
        following = _SPACES.match(text, end)
        end = following.end() if following else end
    else:
        start = spaces.start()
    head = text[:start]
    if item.comma is None and index > 0:
        comma = where.items[index - 1].comma
        head = head if comma is None else head[:comma] + head[comma + 1 :]
    return head + text[end:]


def _to_closing(text: str, where: Layout, start: int, end: int) -> int:
    """Return the end of the line break before "}", so that the result is `{}` on one line."""
    newline = _NEWLINE.match(text, end)
    if text.endswith("\\", 0, start):  # a line continuation needs its line break
        return end
    *_, last = ("", *(mark for _, mark in between(text, where.opening, start)))
    if newline and newline.end() == where.closing and not last.startswith("#"):
        return newline.end()
    return end

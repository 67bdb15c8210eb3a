"""Add, replace or remove an item of a dict literal.

All functions return a new text. Adding an item and removing it again restores the old text, in
every style: with or without a trailing comma, on one line or many, with comments between.
"""

from __future__ import annotations

import re
from typing import Sequence, Tuple

from scimconf.agent.layout import Layout, between

INDENT = "    "

_REST_OF_LINE = re.compile(r"[ \t\f]*(?:#[^\r\n]*)?(?=[\r\n])")
_SPACES_BEFORE = re.compile(r"(\r\n|\r|\n)?[ \t\f]*\Z")
_SPACES = re.compile(r"[ \t\f]*")
_NEWLINE = re.compile(r"\r\n|\r|\n")


def added(
    text: str, where: Layout, entries: Sequence[str], newline: str, indent: str = INDENT
) -> str:
    """Return the text with entries after the last item. They get commas as the last item has.

    `indent` is used for an entry that gets a line of its own.
    """
    if not where.items:
        at = where.closing
        inside = f",{newline}{indent}".join(entries)
        return text[:at] + newline + indent + inside + newline + text[at:]
    last = where.items[-1]
    anchor = last.end if last.comma is None else last.comma + 1
    comma_before, comma_after = (",", "") if last.comma is None else ("", ",")
    rest = _REST_OF_LINE.match(text, anchor)
    if rest:  # a comment after the last item stays with it
        comment, at, gap = rest.group(), rest.end(), newline + indent
    else:
        comment, at, gap = "", anchor, " "
    inside = gap + f",{gap}".join(entries)
    return text[:anchor] + comma_before + comment + inside + comma_after + text[at:]


def removed(text: str, where: Layout, index: int) -> Tuple[str, Layout]:
    """Return the text without one item, its line and the comment after it. Keep other comments.

    In the returned layout, the items before this one are right, and the items after it are not.
    """
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
    head, items = text[:start], list(where.items)
    if item.comma is None and index > 0:
        comma = items[index - 1].comma
        head = head if comma is None else head[:comma] + head[comma + 1 :]
        items[index - 1] = items[index - 1]._replace(comma=None)
    del items[index]
    shorter = len(text) - len(head) - len(text[end:])
    return head + text[end:], Layout(where.opening, where.closing - shorter, tuple(items))


def _to_closing(text: str, where: Layout, start: int, end: int) -> int:
    """Return the end of the line break before "}", so that the result is `{}` on one line."""
    newline = _NEWLINE.match(text, end)
    if text.endswith("\\", 0, start):  # a line continuation needs its line break
        return end
    *_, last = ("", *(mark for _, mark in between(text, where.opening, start)))
    if newline and newline.end() == where.closing and not last.startswith("#"):
        return newline.end()
    return end

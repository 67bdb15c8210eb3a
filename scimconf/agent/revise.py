"""Change an entry of SCIM_CONFIG in place: values that differ, and keys to add or remove.

The comments, quotes, order and layout of everything else stay.
"""

from __future__ import annotations

import ast
import re
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from scimconf.agent import entry, layout, layout_edit, source
from scimconf.agent.errors import Refusal, redacted
from scimconf.agent.layout import Layout
from scimconf.agent.layout_edit import INDENT
from scimconf.agent.names import string_literal
from scimconf.agent.source import Source

_LINE_START = re.compile(r"[\r\n]([ \t\f]*)\Z")

Piece = Tuple[int, int, str]
"""Start and end (offsets in the text) and the replacement."""


@redacted
class Wanted(NamedTuple):
    """The wanted entry of a realm, parsed."""

    source: Source
    value: ast.expr


def read(text: str) -> Wanted:
    """Parse the text of an entry. Raises Refusal if it is not exactly one entry."""
    src = source.read(f"{{{text}\n}}".encode())
    statement = src.tree.body[0] if len(src.tree.body) == 1 else None
    display = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(display, ast.Dict) and len(display.keys) == 1 and display.keys[0]:
        item = layout.layout(src, display).items[0]
        if src.text[item.start : item.end] == text:
            return Wanted(src, display.values[0])
    raise Refusal("the text to write is not one entry", 1, 1)


def says(found: ast.expr, wanted: ast.expr) -> bool:
    """Return whether an entry has the wanted value, in any layout and order."""
    has, wants = _by_key(found), _by_key(wanted)
    if has is None or wants is None or has.keys() != wants.keys():
        return False
    return all(entry.same(has[name], value) for name, value in wants.items())


def changed(src: Source, found: ast.expr, wanted: Wanted, newline: str) -> Optional[str]:
    """Return the text of the file after one more change towards the wanted entry.

    Return None if nothing is left to change, or if the value cannot be changed in place because it
    is empty, not a dict with string keys, or has a key twice.
    """
    pieces = sorted(_values(src, found, wanted, wanted.value, newline))
    if not pieces:
        return _key(src, found, wanted, wanted.value, newline, 2 * INDENT)
    text = src.text
    for start, end, instead in reversed(pieces):
        text = text[:start] + instead + text[end:]
    return text


def _by_key(value: ast.expr) -> Optional[Dict[str, ast.expr]]:
    """Return the values of a dict by key; None if it is not a dict with unique string keys."""
    if not isinstance(value, ast.Dict):
        return None
    found: Dict[str, ast.expr] = {}
    for key, child in zip(value.keys, value.values):
        name = string_literal(key)
        if name is None or name in found:
            return None
        found[name] = child
    return found


def _values(
    src: Source, found: ast.expr, wanted: Wanted, value: ast.expr, newline: str
) -> Iterator[Piece]:
    """Yield the values to replace, including those in an inner dict."""
    has, wants = _by_key(found) or {}, _by_key(value) or {}
    for name in (name for name in has if name in wants):
        old, new = has[name], wants[name]
        if entry.same(old, new):
            continue
        if _by_key(old) and _by_key(new):
            yield from _values(src, old, wanted, new, newline)
        else:
            yield (*src.span(old), _text(wanted, wanted.source.span(new), newline))


def _key(
    src: Source, found: ast.expr, wanted: Wanted, value: ast.expr, newline: str, indent: str
) -> Optional[str]:
    """Return the text with one key added or removed, in the entry or in an inner dict.

    `indent` is the indentation of a key if no key begins a line.
    """
    has, wants = _by_key(found), _by_key(value)
    if not (has and wants and isinstance(found, ast.Dict) and isinstance(value, ast.Dict)):
        return None
    where, theirs = layout.layout(src, found), layout.layout(wanted.source, value)
    indent = _indent(src.text, where, indent)
    for name, item in zip(wants, theirs.items):
        if name not in has:
            text = _text(wanted, (item.start, item.end), newline)
            return layout_edit.added(src.text, where, [text], newline, indent)
    for index, name in enumerate(has):
        if name not in wants:
            return layout_edit.removed(src.text, where, index)[0]
    inner = (_key(src, has[name], wanted, wants[name], newline, indent + INDENT) for name in wants)
    return next((text for text in inner if text is not None), None)


def _indent(text: str, where: Layout, otherwise: str) -> str:
    """Return the indentation of the first key that begins a line."""
    starts = (_LINE_START.search(text, where.opening, item.start) for item in where.items)
    return next((start.group(1) for start in starts if start), otherwise)


def _text(wanted: Wanted, span: Tuple[int, int], newline: str) -> str:
    return wanted.source.text[slice(*span)].replace("\n", newline)

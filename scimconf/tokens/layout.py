"""The token file as text: write an entry, or edit one and leave all other lines as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scimconf.errors import UsageError
from scimconf.tokens.entries import END, FORMAT, TOP, VERSION, Entry, Key, Record
from scimconf.yamlfile import Document, KeyPath, parse

HEADER = f"""\
# The bearer tokens that scimconf keeps, by deployment and realm ("" is the root domain).
# Each token is an Ansible Vault value. A fingerprint identifies a token without decrypting it.
# Keep this file, and keep the vault password elsewhere. scimconf writes the file; comments stay.
# Do not move or copy entries: each is valid at its own place only. The last line marks the end.
{VERSION}: {FORMAT}
{TOP}:
{END}
"""

_STEP = 2
"""Spaces for a level, unless the file uses another number."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""A line with its line break, as YAML and `Document` count them."""


_BLOCK = re.compile(r" *token: +!vault +\|[-+]?(?: +#.*)?")
"""The line above a vault text."""


class _Edit(NamedTuple):
    """New lines that replace the lines `first` to `last` (from 1; none if last < first)."""

    first: int
    depth: int
    """Of two insertions at one place, the deeper one comes first."""
    name: str
    """Orders insertions at one place and depth."""
    last: int
    lines: list[str]


def edit(document: Document, entries: Mapping[Key, Record]) -> str:
    """Return the file's text with these entries in it, sorted by name.

    Change existing entries field by field, so that comments stay. `document` is a checked token
    file or that of a file that does not exist yet. The caller must read the result back and compare
    it: a file in flow style (`{a: b}`) cannot be edited line by line.
    """
    if document.data is None:
        document = parse(HEADER, document.file)
    edits: list[_Edit] = []
    for deployment in sorted({deployment for deployment, _ in entries}):
        realms = {realm: entry for (name, realm), entry in entries.items() if name == deployment}
        edits += _deployment(document, deployment, realms)
    return _apply(document.text, edits)


def without(document: Document, keys: Iterable[Key]) -> str:
    """Return the file's text without the lines of these entries; comments around them stay.

    A deployment without entries is removed, too.
    """
    gone: dict[str, set[str]] = {}
    for deployment, realm in keys:
        gone.setdefault(deployment, set()).add(realm)
    edits = []
    for deployment, realms in gone.items():
        way: KeyPath = (TOP, deployment)
        is_empty = realms >= set(_mapping(document, way))
        for each in [way] if is_empty else [(*way, realm) for realm in realms]:
            first, last = document.line_span(each)
            edits.append(_Edit(first, 0, str(each[-1]), last, []))
    return _apply(document.text, edits)


def with_tokens(document: Document, tokens: Mapping[KeyPath, str]) -> str:
    """Return the file's text with other vault texts for these tokens; all other lines stay.

    `tokens`: the keys that lead to each `token:` -> its new vault text.
    """
    lines = _LINE.findall(document.text)
    edits = []
    for way, ciphertext in tokens.items():
        first, last = document.line_span(way)
        column = document.position(way).column - 1
        head = lines[first - 1].rstrip("\r\n")
        if not _BLOCK.fullmatch(head):  # its comment stays
            head = " " * column + "token: !vault |"
        body = [" " * (column + _STEP) + line for line in ciphertext.splitlines()]
        edits.append(_Edit(first, 0, "", last, [head, *body]))
    return _apply(document.text, edits)


def _deployment(
    document: Document, deployment: str, realms: Mapping[str, Record]
) -> Iterator[_Edit]:
    known = _mapping(document, (TOP,))
    if deployment not in known:
        way: KeyPath = (TOP,)
        column, line = _place(document, way, deployment)
        lines = [" " * column + f"{_quoted(deployment)}:"]
        for realm in sorted(realms):
            lines += _entry(realm, realms[realm], column + _STEP)
        yield _Edit(line + 1, 0, deployment, line, lines)
        return
    way = (TOP, deployment)
    for realm in sorted(realms):
        if realm in _mapping(document, way):
            yield from _changes(document, (*way, realm), realms[realm])
        else:
            column, line = _place(document, way, realm)
            yield _Edit(line + 1, -1, realm, line, _entry(realm, realms[realm], column))


def _changes(document: Document, way: KeyPath, record: Record) -> Iterator[_Edit]:
    """Return the changes of an existing entry, one per field."""
    there = _mapping(document, way)
    column = document.position((*way, next(iter(there)))).column - 1
    end = max(document.line_span((*way, name))[1] for name in there)
    fields = _fields(record)
    every = (*there, *(name for name in fields if name not in there))
    for number, name in enumerate(every):
        lines = [" " * column + line for line in fields.get(name, ())]
        if name in there:
            first, last = document.line_span((*way, name))
            yield _Edit(first, -3, name, last, lines)
        else:
            yield _Edit(end + 1, -2, f"{number:02}", end, lines)


def _place(document: Document, way: KeyPath, name: str) -> tuple[int, int]:
    """Return the column for a new key under `way`, and the line that it follows."""
    siblings = _mapping(document, way)
    parent = document.position(way)
    if not siblings:
        return parent.column - 1 + _STEP, parent.line
    column = document.position((*way, next(iter(siblings)))).column - 1
    before = [document.line_span((*way, key))[1] for key in siblings if key < name]
    return column, max(before, default=parent.line)


def _mapping(document: Document, way: KeyPath) -> Mapping[str, Any]:
    found: Any = document.data
    for step in way:
        found = found[step]
    return found or {}


def _entry(realm: str, record: Record, column: int) -> list[str]:
    inner = _inside(line for lines in _fields(record).values() for line in lines)
    return [" " * column + line for line in (f"{_quoted(realm)}:", *inner)]


def _fields(record: Record) -> dict[str, list[str]]:
    """Return the lines of each field, in the order of a new record."""
    if not isinstance(record, Entry):
        removed = {"removed": [f"removed: {_quoted(record.removed)}"]}
        return removed if record.entry is None else removed | _fields(record.entry)
    fields = {
        "fingerprint": [f"fingerprint: {_quoted(record.fingerprint)}"],
        "created": [f"created: {_quoted(record.created)}"],
    }
    if record.retired:
        fields["retired"] = [f"retired: {_quoted(record.retired)}"]
    for name in ("delivered", "delivering"):
        if text := getattr(record, name):
            fields[name] = [f"{name}: {_quoted(text)}"]
    if record.ciphertext is not None:
        fields["token"] = ["token: !vault |", *_inside(record.ciphertext.splitlines())]
    for name, other in (("next", record.next), ("previous", record.previous)):
        if other:
            lines = (line for field in _fields(other).values() for line in field)
            fields[name] = [f"{name}:", *_inside(lines)]
    return fields


def _inside(lines: Iterable[str]) -> list[str]:
    return [" " * _STEP + line for line in lines]


def _quoted(text: str) -> str:
    """Return a text as a double-quoted YAML scalar, which takes JSON's escapes (YAML 1.1, 5.7)."""
    if not text.isprintable():
        raise UsageError(
            f"{text!a} contains control characters, which the token file must not contain"
        )
    return json.dumps(text, ensure_ascii=False)


def _apply(text: str, edits: Iterable[_Edit]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = _LINE.findall(text)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    for each in sorted(edits, reverse=True):
        lines[each.first - 1 : each.last] = [line + end for line in each.lines]
    return "".join(lines)

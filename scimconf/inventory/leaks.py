"""Tokens that stand in clear in a file that somebody is about to commit; what pre-commit asks."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from contextlib import nullcontext, suppress

from scimconf.errors import InventoryError
from scimconf.model import Problem
from scimconf.tokens.entries import TOP
from scimconf.yamlfile import Document, KeyPath, parse

_HOLDERS = ("scim_realms", TOP)
"""What stands below one of these under the key `token` is a realm's token."""

# As settings.py, zulip-secrets.conf, docker-zulip's environment and a copied sheet have it. What is
# not quoted is a token only as a whole word: a call or a reference is none.
_ASSIGNED = re.compile(
    r"""bearer_token\w{0,80}["']?\s*[:=]\s*(?:(["'])(?P<quoted>[^"'\n]{16,})\1"""
    r"""|(?P<bare>[\w.~+/=-]{16,})(?=[\s,}]|$))""",
    re.ASCII,
)
# As a hand-off sheet has it, in each of its forms (report/sheet.py has the names of the fields).
_ENTERED = re.compile(
    r"""(?:API\ token|Secret\ Token|Bearer\ token)`*
    (?:\s*:\s*|[ \t]{2,}|</dt>\s*<dd>\s*<code>)`*[ ]?
    (?:Bearer\s+)?(?![a-z]+://)(?P<bare>[^\s<]\S{15,})""",
    re.ASCII | re.VERBOSE,
)
# As a request has it. A word of prose that follows has no digit.
_SENT = re.compile(r"\bBearer\s+(?=[^\s0-9]*[0-9])(?P<bare>[\w.~+/=-]{16,})", re.ASCII)
_PATTERNS = (_ASSIGNED, _ENTERED, _SENT)
_PROSE = (".md", ".markdown", ".txt", ".html", ".htm")
_ELSEWHERE = re.compile(r"(?:env|file|command):|\{\{|[<$!]|&lt;")
"""How a reference begins, a template, a mask, a vault value, a variable of a shell or of CI."""


def leaks(text: str, file: str) -> list[Problem]:
    """Give the place of each token that stands in clear in `text`; never a token.

    Raises InventoryError for an inventory or a token file that cannot be read as YAML: nothing can
    be said of it. A text for people that only speaks of them need not be YAML.
    """
    found = set(_written(text, file))
    if any(holder in text for holder in _HOLDERS):
        with suppress(InventoryError) if file.lower().endswith(_PROSE) else nullcontext():
            found |= set(_kept(parse(text, file)))
    return sorted(found, key=lambda problem: (problem.position is None, problem.position))


def _written(text: str, file: str) -> Iterator[Problem]:
    document = Document(file, text, None, {})
    for found in (found for pattern in _PATTERNS for found in pattern.finditer(text)):
        kind = "bare" if found["bare"] else "quoted"
        if not _ELSEWHERE.match(found[kind]):
            at = document.at(found.start(kind))
            yield Problem(
                "a bearer token stands in clear",
                at,
                hint="take it out, and rotate it if it was ever pushed",
            )


def _kept(document: Document) -> Iterator[Problem]:
    for way, value in _below((), document.data):
        held = any(step in _HOLDERS for step in way[:-1])
        if way[-1:] == ("token",) and held and _in_clear(value):
            yield Problem(
                "the token of this realm stands in clear",
                document.value_position(way),
                hint="leave it out and scimconf keeps it encrypted, or make it a !vault value",
            )


def _in_clear(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not _ELSEWHERE.match(str(value))


def _below(way: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    yield way, value
    children: Iterator[tuple[Hashable, object]] = iter(())
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = iter(enumerate(value))
    for step, child in children:
        yield from _below((*way, step), child)

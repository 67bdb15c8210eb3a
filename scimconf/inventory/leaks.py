"""Find plaintext tokens in files before they are committed (a pre-commit hook)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from contextlib import nullcontext, suppress

from scimconf.errors import InventoryError
from scimconf.inventory.ini import IniDocument
from scimconf.inventory.sources import yaml_or_ini
from scimconf.model import Problem
from scimconf.tokens.entries import TOP
from scimconf.tokens.references import SOURCES
from scimconf.yamlfile import Document, KeyPath
from scimconf.zulip.presets import TOKEN_FIELDS

_HOLDERS = ("scim_realms", TOP)
"""Below one of these keys, the value of `token` is the token of a realm."""

# Finds tokens in settings.py, zulip-secrets.conf, docker-zulip's environment, copied sheets, and
# inventory variables such as `scim_token`. Without quotes, only a whole word counts: a function
# call or a reference is not a token.
_ASSIGNED = re.compile(
    r"""(?:bearer|scim\w{0,80})_token\w{0,80}["']?\s*[:=]\s*(?:(["'])(?P<quoted>[^"'\n]{16,})\1"""
    r"""|(?P<bare>[\w.~+/=-]{16,})(?=[\s,}]|$))""",
    re.ASCII,
)
_FIELDS = "|".join(re.escape(name) for name in TOKEN_FIELDS)
# In a hand-off sheet of any format: the providers' names for the field, then the token.
_ENTERED = re.compile(
    rf"""(?:{_FIELDS})`*
    (?:\s*:\s*|[ \t]{{2,}}|</dt>\s*<dd>\s*<code>)`*[ ]?
    (?:Bearer\s+)?(?![a-z]+://)(?P<bare>[^\s<]\S{{15,}})""",
    re.ASCII | re.VERBOSE,
)
# In an HTTP request. A word of prose after "Bearer" has no digit.
_SENT = re.compile(r"\bBearer\s+(?=[^\s0-9]*[0-9])(?P<bare>[\w.~+/=-]{16,})", re.ASCII)
_IN_TEXT = re.compile(r"""\btoken["']?\s*[:=]\s*["']?([^\s"',}]{16,})""")
_PATTERNS = (_ASSIGNED, _ENTERED, _SENT)
_PROSE = (".md", ".markdown", ".txt", ".html", ".htm")
_ELSEWHERE = re.compile(rf"(?:{'|'.join(SOURCES)}):|\{{\{{|[<$!]|&lt;")
"""The start of a reference, template, mask, vault value, or variable of a shell or of CI."""


def leaks(text: str, file: str) -> list[Problem]:
    """Return a problem for each plaintext token in `text`; it never quotes the token.

    Raises InventoryError for an inventory or token file that is neither YAML nor INI, because it
    cannot be checked. A text for people that only mentions inventories can be anything.
    """
    found = set(_in_text(text, file))
    if any(holder in text for holder in _HOLDERS):
        with suppress(InventoryError) if file.lower().endswith(_PROSE) else nullcontext():
            found |= set(_entries(yaml_or_ini(text, file)))
    return sorted(found, key=lambda problem: (problem.position is None, problem.position))


def _in_text(text: str, file: str) -> Iterator[Problem]:
    document = Document(file, text, None, {})
    for found in (found for pattern in _PATTERNS for found in pattern.finditer(text)):
        kind = "bare" if found["bare"] else "quoted"
        if not _ELSEWHERE.match(found[kind]):
            at = document.at(found.start(kind))
            yield Problem(
                "this bearer token is in plain text",
                at,
                hint="remove it, and rotate it if it was ever pushed",
            )


def _entries(document: Document) -> Iterator[Problem]:
    is_ini = isinstance(document, IniDocument)
    for path, value in _below((), document.data):
        held = is_ini or any(step in _HOLDERS for step in path[:-1])
        named = path[-1:] == ("token",)
        if is_ini and path[-1:] == ("scim_realms",) and isinstance(value, str):
            # `scim_realms={acme: {token: x}}` has lost its quotes, and is text.
            named, value = True, next(iter(_IN_TEXT.findall(value)), "{{")
        if named and held and _is_plain(value):
            yield Problem(
                "the token of this realm is in plain text",
                document.value_position(path),
                hint="remove it: tokens are kept encrypted in the token file"
                + ("" if is_ini else "; or make it a !vault value"),
            )


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not _ELSEWHERE.match(str(value))


def _below(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    yield path, value
    children: Iterator[tuple[Hashable, object]] = iter(())
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = iter(enumerate(value))
    for step, child in children:
        yield from _below((*path, step), child)

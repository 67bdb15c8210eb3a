"""Mask SCIM_CONFIG before it leaves the server: every token, and all else that may be a secret.

The result is valid Python. The same editor that changes settings.py can edit it, so a plan shows
the diff that the server will get.
"""

from __future__ import annotations

import ast
import io
import re
from typing import Iterator, List, Mapping, Match, Optional, Sequence, Tuple

from scimconf.agent.entry import KNOWN_KEYS, TOKEN_KEY, secret_name
from scimconf.agent.names import string_literal
from scimconf.agent.settings_file import Block, Settings
from scimconf.agent.source import Source

MASK = "<masked>"
_MASKED = f'"{MASK}"'

_QUOTED = r"(\"|')(?:(?!\1).)+\1?"
_LONG_WORD = r"[^\s,;:]{16,}|[^\s,;:]*[0-9][^\s,;:]*"
"""Words of a comment that may be a token: long ones, and those with a digit."""
_SHORTEST_TOKEN = 8
"""Characters. A shorter text would be found in ordinary words."""
_SHORTEST = 6
"""Characters of the shortest word of a comment that is masked."""

Piece = Tuple[int, int, str]
"""Start and end (offsets in the text of the file) and the replacement."""


def token_mask(realm: str, length: int, more: str = "") -> str:
    """Return the text that is shown in place of a token. `more` is added to it."""
    facts = [f"token {realm or '(root)'}", f"{length} characters", *([more] if more else [])]
    return f"<{', '.join(facts)}>"


def value(key: str, found: object) -> object:
    """Return the value of an entry's key, masked if it is not a number under an unknown key."""
    if key in KNOWN_KEYS or found is None or isinstance(found, (bool, int, float)):
        return found
    return MASK


def block(settings: Settings, masks: Mapping[str, str]) -> Optional[str]:
    """Return the masked text of the block with a final line break; None if there is no block.

    `masks` maps a realm to the `token_mask` of its token.
    """
    found = settings.block
    if found is None:
        return None
    # A token may also be used elsewhere, for example as a client's name.
    tokens = settings.tokens({}).values()
    known = [token for token in tokens if len(token) >= _SHORTEST_TOKEN]
    pieces: List[Piece] = [
        *_values(settings, found, masks, known),
        *_comments(settings.source, found, known),
    ]
    text, start, end = settings.source.text, found.start, found.end
    shown = []
    for first, last, instead in sorted(pieces):
        if first >= start:  # otherwise it is a comment inside a masked value
            shown += [text[start:first], instead]
            start = last
    return "".join([*shown, text[start:end], "\n"]).replace("\r\n", "\n").replace("\r", "\n")


def _values(
    settings: Settings, block: Block, masks: Mapping[str, str], known: Sequence[str]
) -> Iterator[Piece]:
    for realm, node in zip(settings.entries, block.display.values):
        for hidden, instead in _hidden(node, masks.get(realm, MASK), known):
            yield (*settings.source.span(hidden), instead)


def _hidden(entry: ast.expr, mask: str, known: Sequence[str]) -> Iterator[Tuple[ast.expr, str]]:
    """Yield the parts of an entry that must not be shown, and their replacements."""
    if not isinstance(entry, ast.Dict) or not all(_is_text(key) for key in entry.keys):
        yield entry, _MASKED
        return
    for key, child in zip(entry.keys, entry.values):
        name = ast.literal_eval(key) if key else ""
        if key and name not in KNOWN_KEYS and _holds(key, known):
            yield key, _MASKED
        if name == TOKEN_KEY:
            if secret_name(child) is None:
                yield child, _quoted(mask) if _is_text(child) else _MASKED
        elif not (_is_plain(child) or (name in KNOWN_KEYS and _is_readable(child, known))):
            yield child, _MASKED


def _holds(node: ast.AST, known: Sequence[str]) -> bool:
    """Return whether any text in an expression contains one of the tokens."""
    texts = (str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant))
    long = [text for text in texts if len(text) >= _SHORTEST_TOKEN]
    return any(token in text for text in long for token in known)


def _is_text(node: Optional[ast.expr]) -> bool:
    return string_literal(node) is not None


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (
        node.value is None or isinstance(node.value, (bool, int, float))
    )


def _is_readable(node: ast.expr, known: Sequence[str]) -> bool:
    """Return whether a value under a known key is text or a dict of text, without a token."""
    if _holds(node, known):
        return False
    if isinstance(node, ast.Dict):
        return all(_is_text(child) for child in [*node.keys, *node.values])
    return _is_text(node)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comments(src: Source, block: Block, known: Sequence[str]) -> Iterator[Piece]:
    """Yield the comments within the assignment, with everything masked that may be a token."""
    where = block.span
    lines = src.text[where[0] : where[1]].replace("\r\n", "\n").replace("\r", "\n")
    if "#" not in lines:
        return
    import tokenize  # takes 1 ms, and a block of scimconf has no comment

    first_line = sum(1 for start in src.starts if start <= where[0])
    for token in tokenize.generate_tokens(io.StringIO(lines).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, column = token.start
        start = column + (where[0] if line == 1 else src.starts[first_line + line - 2])
        shown = token.string
        for each in known:
            shown = shown[:1] + shown[1:].replace(each, MASK)
        yield start, start + len(token.string), comment(shown)


def comment(text: str) -> str:
    """Return a comment with quoted text, long words and numbers masked, as they may be tokens."""

    def masked(match: Match[str]) -> str:
        word = match.group()
        return MASK if len(word) >= _SHORTEST else word

    # The "#" stays, even if it is part of a long word.
    return text[:1] + re.sub(_LONG_WORD, masked, re.sub(_QUOTED, _MASKED, text[1:]))

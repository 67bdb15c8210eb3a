"""SCIM_CONFIG as it may leave the server for a plan: every token a mask, all else that may be a
secret too.

The result is Python again, and the editor of settings.py takes it, so a plan shows the diff that
the same editor will make on the server.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

from scimconf.agent import names
from scimconf.agent.entry import KNOWN_KEYS, TOKEN_KEY, secret_name
from scimconf.agent.settings_file import NAME, Settings

MASK = "<masked>"
_MASKED = f'"{MASK}"'

_QUOTED = re.compile(r"(\"|')(?:(?!\1).)+\1?")
_LONG_WORD = re.compile(r"[^\s,;:]{16,}|[^\s,;:]*[0-9][^\s,;:]*")
"""Words of a comment that may be a token: long, or with a digit and no shorter than six."""

Piece = Tuple[int, int, str]
"""From, to (offsets in the text of the file) and what to put there."""


def token_mask(realm: str, length: int, more: str = "") -> str:
    """Return what stands for a token wherever people read; `more` is what else is known of it."""
    facts = [f"token {realm or '(root)'}", f"{length} characters", *([more] if more else [])]
    return f"<{', '.join(facts)}>"


def value(key: str, found: object) -> object:
    """Give the value of an entry's key as it may be shown: strings only under keys we know."""
    if key in KNOWN_KEYS or found is None or isinstance(found, (bool, int, float)):
        return found
    return MASK


def block(settings: Settings, masks: Mapping[str, str]) -> Optional[str]:
    """Give the text of the block, masked, with a line end; None where there is none.

    `masks` holds, by realm, the `token_mask` of each token in clear.
    """
    if settings.block is None:
        return None
    # A token that stands twice, as a client's name for one; not a word that stands everywhere.
    known = [token for token in settings.tokens({}).values() if len(token) >= 8]
    pieces: List[Piece] = [*_values(settings, masks, known), *_comments(settings, known)]
    text, start, end = settings.source.text, settings.block.start, settings.block.end
    shown = []
    for first, last, instead in sorted(pieces):
        if first >= start:  # else a comment within what is masked already
            shown += [text[start:first], instead]
            start = last
    return "".join([*shown, text[start:end], "\n"]).replace("\r\n", "\n").replace("\r", "\n")


def _values(settings: Settings, masks: Mapping[str, str], known: Sequence[str]) -> Iterator[Piece]:
    src = settings.source
    assert settings.block
    display = names.assigned(settings.block.statement, NAME)
    assert isinstance(display, ast.Dict)
    for realm, node in zip(settings.entries, display.values):
        for hidden, instead in _hidden(node, masks.get(realm, MASK), known):
            yield (*src.span(hidden), instead)


def _hidden(entry: ast.expr, mask: str, known: Sequence[str]) -> Iterator[Tuple[ast.expr, str]]:
    """Give the parts of an entry that must not be seen, and what stands for them."""
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
    """Whether any text in it holds one of the tokens."""
    texts = (str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant))
    return any(token in text for text in texts for token in known)


def _is_text(node: Optional[ast.expr]) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (
        node.value is None or isinstance(node.value, (bool, int, float))
    )


def _is_readable(node: ast.expr, known: Sequence[str]) -> bool:
    """Whether a value under a known key is text, or the map of text that one of them takes."""
    if _holds(node, known):
        return False
    if isinstance(node, ast.Dict):
        return all(_is_text(child) for child in [*node.keys, *node.values])
    return _is_text(node)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comments(settings: Settings, known: Sequence[str]) -> Iterator[Piece]:
    """Give the comments within the assignment, with all that may be a token masked."""
    src, block = settings.source, settings.block
    assert block
    where = block.span
    lines = src.text[where[0] : where[1]].replace("\r\n", "\n").replace("\r", "\n")
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
    """Give a comment with all that may be a token masked: quoted text, long words, numbers."""
    mark, words = text[:1], text[1:]  # the mark stays, whatever word it begins
    return mark + _LONG_WORD.sub(
        lambda word: MASK if len(word.group()) >= 6 and word.group() != MASK else word.group(),
        _QUOTED.sub(_MASKED, words),
    )

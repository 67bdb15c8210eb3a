"""Read one realm's entry of SCIM_CONFIG without executing it."""

from __future__ import annotations

import ast
import json
from typing import Iterator, Mapping, NamedTuple, Optional, Tuple

from scimconf.agent.errors import redacted
from scimconf.agent.layout import Item
from scimconf.agent.names import string_literal
from scimconf.agent.source import Source

TOKEN_KEY = "bearer_token"  # noqa: S105
KNOWN_KEYS = frozenset(
    {
        TOKEN_KEY,
        "scim_client_name",
        "name_formatted_included",
        "create_guests_without_streams",
        "custom_profile_field_map",
    }
)
"""What Zulip reads of an entry (zerver/lib/scim.py and zproject/default_settings.py)."""


@redacted
class Entry(NamedTuple):
    """One realm. If it is not plain data, `unreadable` says why, and line and column say where."""

    realm: str
    text: str
    item: Item
    value: ast.expr
    line: int
    column: int
    values: Mapping[str, object]
    """All values except the token."""
    token: Optional[str] = None
    secret_name: Optional[str] = None
    unreadable: Optional[str] = None
    computed: Optional[Tuple[int, int]] = None
    """Line and column of an expression that is not a literal. Other code may depend on it."""


_LITERALS = (ast.Dict, ast.List, ast.Tuple, ast.Set, ast.UnaryOp)


class _NotData(Exception):
    def __init__(self, what: str, node: ast.AST) -> None:
        super().__init__(what)
        self.node = node


def read(
    source: Source, realm: str, key: ast.expr, value: ast.expr, item: Item, trusted: bool
) -> Entry:
    """Read one entry. If it is not plain data, `unreadable` says why, without the text.

    `trusted`: in this file, get_secret is Zulip's own.
    """
    text = source.text[item.start : item.end]
    line, column = source.place(key)
    try:
        pairs = dict(_pairs(value))
        token, name_of_secret = _token(pairs.pop(TOKEN_KEY, None), trusted)
        values = {name: literal(node) for name, node in pairs.items()}
    except _NotData as error:
        line, column = source.place(error.node)
        expression = computed(value)
        return Entry(
            *(realm, text, item, value, line, column, {}),
            unreadable=str(error),
            computed=source.place(expression) if expression else None,
        )
    return Entry(realm, text, item, value, line, column, values, token, name_of_secret)


def _pairs(value: ast.expr) -> Iterator[Tuple[str, ast.expr]]:
    if not isinstance(value, ast.Dict):
        raise _NotData("the entry is not a dict", value)
    seen = set()
    for key, child in zip(value.keys, value.values):
        name = string_literal(key)
        if name is None:
            raise _NotData("a key is not a string", key or child)
        if name in seen:
            raise _NotData("a key is given twice", key or child)
        seen.add(name)
        yield name, child


def _token(node: Optional[ast.expr], trusted: bool) -> Tuple[Optional[str], Optional[str]]:
    """Return the token, or the name of the secret that holds it."""
    if node is None:
        return None, None
    name = secret_name(node)
    if name is not None and trusted:
        return None, name
    value = literal(node)
    if value is not None and not isinstance(value, str):
        raise _NotData(f"{TOKEN_KEY} is not a string", node)
    return value or None, None


def secret_name(node: ast.expr) -> Optional[str]:
    """Return the name in `get_secret("name")`; None for any other expression."""
    if not (isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords):
        return None
    if not (isinstance(node.func, ast.Name) and node.func.id == "get_secret"):
        return None
    return string_literal(node.args[0])


def computed(value: ast.expr) -> Optional[ast.expr]:
    """Return the first expression in an entry that is not a literal: a call, a name, `:=`.

    Return None if there is none. `get_secret("name")` counts as a literal here, even if get_secret
    is not Zulip's own.
    """
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _LITERALS):
            inside = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
            waiting += reversed(inside)
        elif not isinstance(node, ast.Constant) and secret_name(node) is None:
            return node
    return None


def literal(node: ast.expr) -> object:
    """Return the value of a literal that JSON has too. Raises _NotData for anything else."""
    try:
        return _jsonable(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise _NotData("a value is computed, not a literal", node) from None


def same(one: ast.expr, other: ast.expr) -> bool:
    """Return whether two values are the same data, or read the same secret."""
    secrets = secret_name(one), secret_name(other)
    if secrets != (None, None):
        return secrets[0] == secrets[1]
    try:  # compared as JSON, where True is not 1
        first, second = (json.dumps(literal(each), sort_keys=True) for each in (one, other))
    except _NotData:
        return False
    return first == second


def _jsonable(value: object) -> object:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _jsonable(item) for key, item in value.items()}
    raise ValueError

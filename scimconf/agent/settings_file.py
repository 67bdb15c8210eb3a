"""Read Zulip's settings.py without executing it.

SCIM_CONFIG must be one top-level assignment of a dict with constant keys, or be absent. A file that
uses SCIM_CONFIG in any other way is refused with the place.
"""

from __future__ import annotations

import ast
from itertools import chain
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, NoReturn, Optional, Tuple

from scimconf.agent import entry as entries_of
from scimconf.agent import get_secret, layout, names, source
from scimconf.agent.entry import Entry
from scimconf.agent.errors import Refusal, redacted
from scimconf.agent.layout import Layout
from scimconf.agent.source import Source

NAME = "SCIM_CONFIG"
_REMEDY = (
    f'write all realms as plain values into one `{NAME} = {{"realm": {{...}}}}` at the top level, '
    f"and nothing else that names {NAME}"
)
BEGIN = "# SCIM_CONFIG is managed by scimconf: change its inventory, not these lines."
END = "# End of SCIM_CONFIG, managed by scimconf."
IMPORT = "from zproject.config import get_secret  # for SCIM_CONFIG, added by scimconf"
"""Needed if settings.py was created by Zulip 4.x, without `from .config import get_secret`."""

_NEWLINES = ("\r\n", "\r", "\n")


class Block(NamedTuple):
    """The assignment of SCIM_CONFIG."""

    statement: ast.stmt
    display: ast.Dict
    """The dict that is assigned."""
    layout: Layout
    span: Tuple[int, int]
    start: int
    end: int
    """`start` and `end` include the comment lines that scimconf wrote around it."""
    ours: bool
    """Whether scimconf has added the assignment."""


@redacted
class Settings(NamedTuple):
    """The content of a settings.py that is known without executing it."""

    source: Source
    block: Optional[Block]
    entries: Mapping[str, Entry]
    """By realm, in the order of the file."""

    @property
    def external_host(self) -> Optional[str]:
        """EXTERNAL_HOST, if it is assigned once, as a string literal."""
        return names.string_literal(names.binding(self.source.tree, "EXTERNAL_HOST"))

    @property
    def realm_hosts(self) -> Mapping[str, str]:
        """REALM_HOSTS, if it is assigned once, as a literal dict of strings; otherwise empty."""
        try:
            hosts = ast.literal_eval(names.binding(self.source.tree, "REALM_HOSTS") or "{}")
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return {}
        pairs = hosts.items() if isinstance(hosts, dict) else ()
        return {k: v for k, v in pairs if isinstance(k, str) and isinstance(v, str)}

    @property
    def imports_get_secret(self) -> bool:
        """Whether Zulip's `get_secret` is imported above the block, not by a line of the block."""
        start = self.block.start if self.block else len(self.source.text)
        sure = get_secret.sure(self.source.tree, self.block.statement if self.block else None)
        above = [self.source.span(each)[0] for each in sure]
        return any(offset < start for offset in above)

    def tokens(self, secrets: Mapping[str, str]) -> Dict[str, str]:
        """Return the token of each realm. `secrets` are those of zulip-secrets.conf."""
        found = {
            realm: entry.token or secrets.get(entry.secret_name or "")
            for realm, entry in self.entries.items()
        }
        return {realm: token for realm, token in found.items() if token}

    @property
    def block_text(self) -> Optional[str]:
        """The text of the block with its tokens. To show it, use `masking`."""
        return self.source.text[self.block.start : self.block.end] if self.block else None


def read(data: bytes) -> Settings:
    """Read a settings.py. Raises Refusal if it is not Python or SCIM_CONFIG cannot be read."""
    src = source.read(data)
    statement = _statement(src)
    block = None
    entries: Dict[str, Entry] = {}
    if statement:
        display = _display(src, statement)
        where = layout.layout(src, display)
        block = _block(src, statement, display, where)
        trusted = get_secret.is_zulips(src.tree, statement)
        for key, value, item in zip(display.keys, display.values, where.items):
            realm = ast.literal_eval(key) if key else ""
            if realm in entries:
                refuse(src, key, f"{NAME} names a realm twice")
            entries[realm] = entries_of.read(src, realm, key or value, value, item, trusted)
    return Settings(src, block, entries)


def _statement(src: Source) -> Optional[ast.stmt]:
    """Return the assignment, or None if the file does not mention SCIM_CONFIG at all."""
    assignments = [node for node in src.tree.body if names.assigned(node, NAME)]
    if len(assignments) > 1:
        refuse(src, assignments[1], f"{NAME} is assigned more than once; {_REMEDY}")
    values = (names.assigned(each, NAME) for each in assignments)
    own = {id(node) for node in (*_targets(assignments), *_data(values))}
    for mention in names.mentions(src.tree, NAME):
        if id(mention.node) not in own:
            what = "assigned or changed" if mention.binds else "used"
            refuse(
                src,
                mention.node,
                f"{NAME} is {what} here, outside a single top-level assignment; {_REMEDY}",
            )
    assignment = assignments[0] if assignments else None
    binding = names.dynamic(src.tree, assignment)
    if binding and assignment:
        refuse(src, binding, f"this line may change {NAME} after its assignment; {_REMEDY}")
    if binding:
        refuse(src, binding, f"this may set {NAME}; if it does not, write `{NAME} = {{}}` below it")
    return assignment


def _targets(assignments: List[ast.stmt]) -> List[ast.expr]:
    return [
        target
        for statement in assignments
        for target in (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
    ]


def _data(values: Iterable[Optional[ast.expr]]) -> Iterator[ast.expr]:
    """Yield the constants in a dict and its inner dicts. Such a string does not use a name."""
    for value in values:
        if isinstance(value, ast.Dict):
            yield from _data(chain(value.keys, value.values))
        elif isinstance(value, ast.Constant):
            yield value


def _display(src: Source, statement: ast.stmt) -> ast.Dict:
    value = names.assigned(statement, NAME)
    if not isinstance(value, ast.Dict):
        refuse(src, value or statement, f"{NAME} is computed, not a dict literal; {_REMEDY}")
    for key, child in zip(value.keys, value.values):
        if key is None:
            refuse(src, child, f"{NAME} includes another dict with **; {_REMEDY}")
        if names.string_literal(key) is None:
            refuse(src, key, f"a realm of {NAME} is not a string literal")
    return value


def _block(src: Source, statement: ast.stmt, display: ast.Dict, where: Layout) -> Block:
    start, end = span = src.span(statement)
    head, tail = _head(src.text, start), _tail(src.text, end)
    if head is None or tail is None:
        return Block(statement, display, where, span, start, end, ours=False)
    return Block(statement, display, where, span, head, tail, ours=True)


def _head(text: str, start: int) -> Optional[int]:
    """Return the start of our comment line above an offset; None: there is none."""
    head = text.rfind(BEGIN, 0, start)
    starts_line = head == 0 or text[head - 1 : head] in ("\r", "\n")
    between = text[head + len(BEGIN) : start]
    known = (*_NEWLINES, *(f"{one}{IMPORT}{other}" for one in _NEWLINES for other in _NEWLINES))
    return head if head >= 0 and starts_line and between in known else None


def _tail(text: str, end: int) -> Optional[int]:
    """Return the end of our comment line below an offset; None: there is none."""
    newline = next((each for each in _NEWLINES if text.startswith(each, end)), "")
    tail = end + len(newline) + len(END)
    ends_line = text[tail : tail + 1] in ("", "\r", "\n")
    return tail if newline and ends_line and text.startswith(END, end + len(newline)) else None


def refuse(src: Source, node: Optional[ast.AST], message: str) -> NoReturn:
    """Raise Refusal with the place of a node."""
    raise Refusal(message, *(src.place(node) if node else (1, 1)))

"""Zulip's settings.py, read and edited without executing it, byte for byte outside SCIM_CONFIG.

One plain top-level assignment of a dict with constant keys can be edited, or none at all: then a
marked block is appended. Whatever else touches SCIM_CONFIG is refused with its place. Each result
is parsed again and compared with what was wanted before anybody gets it.
"""

from __future__ import annotations

import ast
import re
from itertools import chain
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, NoReturn, Optional, Tuple

from scimconf.agent import entry as entries_of
from scimconf.agent import get_secret, layout, names, revise, source
from scimconf.agent.entry import Entry
from scimconf.agent.errors import Refusal, redacted
from scimconf.agent.layout import INDENT, Layout
from scimconf.agent.source import Source

NAME = "SCIM_CONFIG"
BEGIN = "# SCIM_CONFIG is managed by scimconf: change its inventory, not these lines."
END = "# End of SCIM_CONFIG, managed by scimconf."
IMPORT = "from zproject.config import get_secret  # for SCIM_CONFIG, added by scimconf"
"""Where a settings.py first made on Zulip 4.x lacks `from .config import get_secret`."""

_NEWLINE = r"(?:\r\n|\r|\n)"
_HEAD = re.compile(
    rf"(?:\A|(?<=[\r\n])){re.escape(BEGIN)}{_NEWLINE}(?:{re.escape(IMPORT)}{_NEWLINE})?\Z"
)
_TAIL = re.compile(rf"{_NEWLINE}{re.escape(END)}(?=[\r\n]|\Z)")
_IMPORT_LINE = re.compile(rf"(?:\A|(?<=[\r\n])){re.escape(IMPORT)}{_NEWLINE}\Z")
_SEPARATOR = re.compile(rf"(?<=[\r\n]){_NEWLINE}\Z")
_SEPARATORS = re.compile(rf"{_NEWLINE}{_NEWLINE}\Z")


class Block(NamedTuple):
    """The assignment. `start` to `end` takes in the comment lines that mark it as ours."""

    statement: ast.stmt
    layout: Layout
    span: Tuple[int, int]
    start: int
    end: int
    ours: bool


@redacted
class Settings(NamedTuple):
    """What a settings.py says, as far as it can be proved from its text."""

    source: Source
    block: Optional[Block]
    entries: Mapping[str, Entry]
    """By realm, in the order of the file."""

    @property
    def external_host(self) -> Optional[str]:
        """EXTERNAL_HOST, where it is one plain assignment of a string."""
        value = names.binding(self.source.tree, "EXTERNAL_HOST")
        is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
        return ast.literal_eval(value) if value and is_text else None

    @property
    def realm_hosts(self) -> Mapping[str, str]:
        """REALM_HOSTS, where it is one plain assignment of a dict of strings; else empty."""
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
        """Give every realm's token, wherever it stands; `secrets` are zulip-secrets.conf's."""
        found = {
            realm: entry.token or secrets.get(entry.secret_name or "")
            for realm, entry in self.entries.items()
        }
        return {realm: token for realm, token in found.items() if token}

    @property
    def block_text(self) -> Optional[str]:
        """The block in clear; see `masking` for what may be shown."""
        return self.source.text[self.block.start : self.block.end] if self.block else None


# --- read -------------------------------------------------------------------------------------


def read(data: bytes) -> Settings:
    """Read a settings.py. Raises Refusal where it is not Python or SCIM_CONFIG is not plain."""
    src = source.read(data)
    statement = _statement(src)
    block = None
    entries: Dict[str, Entry] = {}
    if statement:
        display = _display(src, statement)
        where = layout.layout(src, display)
        block = _block(src, statement, where)
        trusted = get_secret.is_zulips(src.tree, statement)
        for key, value, item in zip(display.keys, display.values, where.items):
            realm = ast.literal_eval(key) if key else ""
            if realm in entries:
                _refuse(src, key, f"{NAME} names a realm twice")
            entries[realm] = entries_of.read(src, realm, key or value, value, item, trusted)
    return Settings(src, block, entries)


def _statement(src: Source) -> Optional[ast.stmt]:
    """Give the one assignment, or None where the file does not touch SCIM_CONFIG at all."""
    assignments = [node for node in src.tree.body if names.assigned(node, NAME)]
    if len(assignments) > 1:
        _refuse(src, assignments[1], f"{NAME} is assigned more than once")
    values = (names.assigned(each, NAME) for each in assignments)
    own = {id(node) for node in (*_targets(assignments), *_data(values))}
    for mention in names.mentions(src.tree, NAME):
        if id(mention.node) not in own:
            what = "assigned or changed" if mention.binds else "used"
            _refuse(
                src, mention.node, f"{NAME} is {what} here, not in one plain top-level assignment"
            )
    assignment = assignments[0] if assignments else None
    binding = names.dynamic(src.tree, assignment)
    if binding and assignment:
        _refuse(src, binding, f"this may change {NAME} after its assignment")
    if binding:
        _refuse(src, binding, f"this may set {NAME}: write `{NAME} = {{}}` below it if it does not")
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
    """Give what stands in a dict, or in a dict in it: a string there names nothing."""
    for value in values:
        if isinstance(value, ast.Dict):
            yield from _data(chain(value.keys, value.values))
        elif isinstance(value, ast.Constant):
            yield value


def _display(src: Source, statement: ast.stmt) -> ast.Dict:
    value = names.assigned(statement, NAME)
    if not isinstance(value, ast.Dict):
        _refuse(src, value or statement, f"{NAME} is computed, not a plain dict")
    for key, child in zip(value.keys, value.values):
        if key is None:
            _refuse(src, child, f"{NAME} takes in another dict with **")
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            _refuse(src, key, f"a realm of {NAME} is not a plain string")
    return value


def _block(src: Source, statement: ast.stmt, where: Layout) -> Block:
    start, end = span = src.span(statement)
    head = _HEAD.search(src.text[:start])
    tail = _TAIL.match(src.text, end)
    if head and tail:
        return Block(statement, where, span, head.start(), tail.end(), ours=True)
    return Block(statement, where, span, start, end, ours=False)


def _refuse(src: Source, node: Optional[ast.AST], message: str) -> NoReturn:
    raise Refusal(message, *(src.place(node) if node else (1, 1)))


# --- edit -------------------------------------------------------------------------------------


def edit(data: bytes, entries: Mapping[str, Optional[str]], *, keep_empty: bool = False) -> bytes:
    """Give the file with the entries set, added after the last one, or (None) removed.

    `keep_empty`: with the last entry our block does not go, but stays as `SCIM_CONFIG = {}`.
    An entry is `"realm": value` as docs/agent.md has it. One that is there is changed in place,
    where it differs: its comments and its layout stay. Raises Refusal.
    """
    before = after = read(data)
    present = {realm: text for realm, text in entries.items() if text is not None}
    _refuse_computed(before, entries)
    for realm, text in present.items():
        after = _with(after, realm, text)
    for realm in entries:
        if realm not in present and realm in after.entries:
            after = read(_without(after, realm, keep_empty))
    if after is before or after.source.data == data:
        return data
    reads_secret = any(map(get_secret.is_read, present.values()))
    if reads_secret:
        _refuse_other_secret(before)
    final = _with_import(after) if reads_secret else _without_import(after)
    after = after if final is after.source.data else read(final)
    _prove(before, after, entries)
    return after.source.data


def _refuse_computed(settings: Settings, entries: Mapping[str, Optional[str]]) -> None:
    for realm, found in settings.entries.items():
        text = entries.get(realm, found.text)
        if found.computed and (text is None or not _same(found.text, text)):
            message = "a value is computed, not written out: other lines may live by what it does"
            raise Refusal(message, *found.computed)


def _with(settings: Settings, realm: str, text: str) -> Settings:
    src, block = settings.source, settings.block
    if block is None:
        return read(src.encode(src.text + _appended(src, text)))
    newline = src.newline(block.layout.closing)
    if realm in settings.entries:
        return _revised(settings, realm, text, newline)
    text = text.replace("\n", newline)
    return read(src.encode(layout.added(src.text, block.layout, text, newline)))


def _revised(settings: Settings, realm: str, text: str, newline: str) -> Settings:
    """Return the file with an entry that is there changed where it differs, or else replaced."""
    wanted = revise.read(text)
    while not _says(settings.entries[realm], wanted, text):
        found = settings.entries[realm]
        after = revise.changed(settings.source, found.value, wanted, newline)
        if after is None:
            replaced = text.replace("\n", newline)
            after = layout.replaced(settings.source.text, found.item, replaced)
            return read(settings.source.encode(after))
        settings = read(settings.source.encode(after))
    return settings


def _appended(src: Source, text: str) -> str:
    """Give a new block, one blank line away; without a final line end where the file has none."""
    newline = src.newline(len(src.text))
    lines = (BEGIN, f"{NAME} = {{", INDENT + text, "}", END)
    block = "\n".join(lines).replace("\n", newline)
    if not src.text:
        return block + newline
    if src.text.endswith(("\r", "\n")):
        return newline + block + newline
    return newline + newline + block


def _without(settings: Settings, realm: str, keep_empty: bool) -> bytes:
    src, block = settings.source, settings.block
    assert block
    if block.ours and len(settings.entries) == 1 and not keep_empty:
        return src.encode(_without_block(src.text, block.start, block.end))
    index = list(settings.entries).index(realm)
    return src.encode(layout.removed(src.text, block.layout, index))


def _without_block(text: str, start: int, end: int) -> str:
    """Take out what `_appended` put in."""
    head, tail = text[:start], text[end:]
    if not tail:
        return _SEPARATORS.sub("", head)
    return _SEPARATOR.sub("", head) + re.sub(rf"\A{_NEWLINE}", "", tail)


def _with_import(settings: Settings) -> bytes:
    src, block = settings.source, settings.block
    assert block
    other = get_secret.foreign(src.tree)
    if other:
        _refuse(src, other, "get_secret is something else than Zulip's own here")
    if get_secret.sure(src.tree, block.statement):
        return src.data
    start = block.span[0]
    if src.text[:start] and not src.text[:start].endswith(("\r", "\n")):
        _refuse(
            src, block.statement, f"get_secret is not imported, and {NAME} starts within a line"
        )
    line = IMPORT + src.newline(start)
    return src.encode(src.text[:start] + line + src.text[start:])


def _refuse_other_secret(settings: Settings) -> None:
    """Refuse an import of get_secret where others may live by one that comes from elsewhere."""
    tree = settings.source.tree
    if settings.block and get_secret.sure(tree, settings.block.statement):
        return
    maker = names.dynamic(tree, None)
    if maker and names.mentions(tree, get_secret.NAME):
        _refuse(settings.source, maker, "this may bring the get_secret that other lines use")


def _without_import(settings: Settings) -> bytes:
    src, block = settings.source, settings.block
    found = _IMPORT_LINE.search(src.text[: block.span[0]]) if block else None
    if not found:
        return src.data
    starts = {src.span(statement)[0]: statement for statement in src.tree.body}
    own = starts.get(found.start())  # none where the line above goes on in it
    if own is None or get_secret.needs(src.tree, own):
        return src.data
    return src.encode(src.text[: found.start()] + src.text[found.end() :])


# --- prove ------------------------------------------------------------------------------------


def _prove(before: Settings, after: Settings, wanted: Mapping[str, Optional[str]]) -> None:
    kept = {realm: each.text for realm, each in before.entries.items() if realm not in wanted}
    left = {realm: each.text for realm, each in after.entries.items() if realm not in wanted}
    same = kept == left and all(_is_as_wanted(after, realm, text) for realm, text in wanted.items())
    if not same or _others(before) != _others(after):
        message = "the edit cannot be proved to change what was meant and nothing else"
        raise Refusal(message, *_place(before))


def _place(settings: Settings) -> Tuple[int, int]:
    """Give where an edit takes place: at the assignment, or at the end of the file."""
    src, block = settings.source, settings.block
    return src.place(block.statement) if block else (len(src.starts), 1)


def _is_as_wanted(settings: Settings, realm: str, text: Optional[str]) -> bool:
    found = settings.entries.get(realm)
    if found is None or text is None:
        return found is None and text is None
    return _says(found, revise.read(text), text)


def _says(found: Entry, wanted: revise.Wanted, text: str) -> bool:
    """Return whether an entry is as wanted, to the letter or in another layout."""
    return _same(found.text, text) or revise.says(found.value, wanted.value)


def _same(one: str, other: str) -> bool:
    """Whether two texts differ in their line ends at most."""
    return re.sub(_NEWLINE, "\n", one) == re.sub(_NEWLINE, "\n", other)


def _others(settings: Settings) -> List[str]:
    """Give the source of every other top-level statement but the import that is ours."""
    src, block = settings.source, settings.block
    own = block.statement if block else None
    spans = (src.span(statement) for statement in src.tree.body if statement is not own)
    texts = (src.text[start:end] for start, end in spans)
    return [text for text in texts if text != IMPORT.split("  #")[0]]

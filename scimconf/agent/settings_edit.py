"""Edit the SCIM_CONFIG of a settings.py. Every byte outside the edited entries stays.

If the file does not mention SCIM_CONFIG, a marked block is appended. Each result is parsed again
and compared with what was wanted before it is returned.
"""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from scimconf.agent import get_secret, layout_edit, names, revise
from scimconf.agent.entry import Entry
from scimconf.agent.errors import Refusal
from scimconf.agent.layout_edit import INDENT
from scimconf.agent.settings_file import (
    BEGIN,
    END,
    IMPORT,
    NAME,
    Block,
    Settings,
    read,
    refuse,
)
from scimconf.agent.source import Source

_NEWLINE = r"(?:\r\n|\r|\n)"
_IMPORT_LINE = re.compile(rf"(?:\A|(?<=[\r\n])){re.escape(IMPORT)}{_NEWLINE}\Z")
_SEPARATOR = re.compile(rf"(?<=[\r\n]){_NEWLINE}\Z")
_SEPARATORS = re.compile(rf"{_NEWLINE}{_NEWLINE}\Z")


def edit(data: bytes, entries: Mapping[str, Optional[str]], *, keep_empty: bool = False) -> bytes:
    """Return the file with each entry changed, added after the last one, or (None) removed.

    An entry has the form `"realm": value` (docs/agent.md). An existing entry is changed in place:
    only the values that differ; its comments and layout stay. With `keep_empty`, removing the last
    entry leaves `SCIM_CONFIG = {}`; otherwise the block that scimconf added is removed. Raises
    Refusal.
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
            message = "this value is computed, so scimconf does not edit it; write a literal"
            raise Refusal(message, *found.computed)


def _with(settings: Settings, realm: str, text: str) -> Settings:
    src, block = settings.source, settings.block
    if block is None:
        return read(src.encode(src.text + _appended(src, text)))
    newline = src.newline(block.layout.closing)
    if realm in settings.entries:
        return _revised(settings, realm, text, newline)
    text = text.replace("\n", newline)
    return read(src.encode(layout_edit.added(src.text, block.layout, text, newline)))


def _revised(settings: Settings, realm: str, text: str, newline: str) -> Settings:
    """Return the file with an existing entry changed in place, or replaced as a whole."""
    wanted = revise.read(text)
    while not _says(settings.entries[realm], wanted, text):
        found = settings.entries[realm]
        after = revise.changed(settings.source, found.value, wanted, newline)
        if after is None:
            replaced = text.replace("\n", newline)
            after = layout_edit.replaced(settings.source.text, found.item, replaced)
            return read(settings.source.encode(after))
        settings = read(settings.source.encode(after))
    return settings


def _appended(src: Source, text: str) -> str:
    """Return a new block after an empty line. It ends with a line break if the file does."""
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
    if block is None:
        return src.data
    if block.ours and len(settings.entries) == 1 and not keep_empty:
        return src.encode(_without_block(src.text, block))
    index = list(settings.entries).index(realm)
    return src.encode(layout_edit.removed(src.text, block.layout, index))


def _without_block(text: str, block: Block) -> str:
    """Remove exactly what `_appended` added."""
    head, tail = text[: block.start], text[block.end :]
    if not tail:
        return _SEPARATORS.sub("", head)
    return _SEPARATOR.sub("", head) + re.sub(rf"\A{_NEWLINE}", "", tail)


def _with_import(settings: Settings) -> bytes:
    src, block = settings.source, settings.block
    other = get_secret.rebinding(src.tree)
    if other:
        refuse(src, other, "this get_secret is not Zulip's; give it another name")
    if block is None or get_secret.sure(src.tree, block.statement):
        return src.data
    start = block.span[0]
    if src.text[:start] and not src.text[:start].endswith(("\r", "\n")):
        refuse(src, block.statement, f"{NAME} must start on a line of its own")
    line = IMPORT + src.newline(start)
    return src.encode(src.text[:start] + line + src.text[start:])


def _refuse_other_secret(settings: Settings) -> None:
    """Refuse to import get_secret if other lines may use a different one."""
    tree = settings.source.tree
    if settings.block and get_secret.sure(tree, settings.block.statement):
        return
    maker = names.dynamic(tree, None)
    if maker and names.mentions(tree, get_secret.NAME):
        refuse(settings.source, maker, "this line may define get_secret, which other lines use")


def _without_import(settings: Settings) -> bytes:
    src, block = settings.source, settings.block
    found = _IMPORT_LINE.search(src.text[: block.span[0]]) if block else None
    if not found:
        return src.data
    starts = {src.span(statement)[0]: statement for statement in src.tree.body}
    own = starts.get(found.start())  # None if a statement continues into this line
    if own is None or get_secret.needs(src.tree, own):
        return src.data
    return src.encode(src.text[: found.start()] + src.text[found.end() :])


# --- prove ------------------------------------------------------------------------------------


def _prove(before: Settings, after: Settings, wanted: Mapping[str, Optional[str]]) -> None:
    kept = {realm: each.text for realm, each in before.entries.items() if realm not in wanted}
    left = {realm: each.text for realm, each in after.entries.items() if realm not in wanted}
    same = kept == left and all(_is_as_wanted(after, realm, text) for realm, text in wanted.items())
    if not same or _others(before) != _others(after):
        message = "scimconf cannot edit this place safely; edit it by hand"
        raise Refusal(message, *_place(before))


def _place(settings: Settings) -> Tuple[int, int]:
    """Return the place of an edit: the assignment, or the end of the file."""
    src, block = settings.source, settings.block
    return src.place(block.statement) if block else (len(src.starts), 1)


def _is_as_wanted(settings: Settings, realm: str, text: Optional[str]) -> bool:
    found = settings.entries.get(realm)
    if found is None or text is None:
        return found is None and text is None
    return _says(found, revise.read(text), text)


def _says(found: Entry, wanted: revise.Wanted, text: str) -> bool:
    """Return whether an entry has the wanted values, in any layout."""
    return _same(found.text, text) or revise.says(found.value, wanted.value)


def _same(one: str, other: str) -> bool:
    """Return whether two texts are equal except for their line breaks."""
    return re.sub(_NEWLINE, "\n", one) == re.sub(_NEWLINE, "\n", other)


def _others(settings: Settings) -> List[str]:
    """Return the source of every other top-level statement, except scimconf's own import."""
    src, block = settings.source, settings.block
    own = block.statement if block else None
    spans = (src.span(statement) for statement in src.tree.body if statement is not own)
    texts = (src.text[start:end] for start, end in spans)
    return [text for text in texts if text != IMPORT.split("  #")[0]]

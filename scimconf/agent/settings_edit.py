"""Edit the SCIM_CONFIG of a settings.py. Every byte outside the edited entries stays.

If the file does not mention SCIM_CONFIG, a marked block is appended. Each result is parsed again
and compared with what was wanted before it is returned.
"""

from __future__ import annotations

import re
from typing import Collection, List, Mapping, Optional, Sequence, Tuple

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
    before = read(data)
    present = {realm: text for realm, text in entries.items() if text is not None}
    _refuse_computed(before, entries)
    after = _with_changed(before, {r: present[r] for r in present if r in before.entries})
    after = _with_added(after, [present[r] for r in present if r not in before.entries])
    after = _without(after, after.entries.keys() & (entries.keys() - present.keys()), keep_empty)
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


def _with_changed(settings: Settings, texts: Mapping[str, str]) -> Settings:
    """Return the file with existing entries changed in place, or replaced as a whole.

    Each round makes one more change in every entry that needs it, because a change moves the rest
    of the file, and parsing the file again for each realm would take minutes.
    """
    wanted = {realm: revise.read(text) for realm, text in texts.items()}
    while True:
        src, block = settings.source, settings.block
        newline = src.newline(block.layout.closing) if block else ""
        pieces = []
        for realm, parsed in list(wanted.items()):
            found, text = settings.entries[realm], texts[realm]
            if _says(found, parsed, text):
                del wanted[realm]
                continue
            start, end, _ = found.item
            changed = revise.changed(src, found.value, parsed, newline)
            if changed is None:
                del wanted[realm]  # the whole entry is replaced
                pieces.append((start, end, text.replace("\n", newline)))
            else:
                pieces.append((start, end, changed[start : end + len(changed) - len(src.text)]))
        if not pieces:
            return settings
        settings = read(src.encode(_replaced(src.text, pieces)))


def _replaced(text: str, pieces: List[Tuple[int, int, str]]) -> str:
    """Return the text with pieces of it replaced: start, end and the new text of each."""
    parts, last = [], 0
    for start, end, instead in sorted(pieces):
        parts += [text[last:start], instead]
        last = end
    return "".join([*parts, text[last:]])


def _with_added(settings: Settings, texts: Sequence[str]) -> Settings:
    """Return the file with entries added after the last one."""
    src = settings.source
    if settings.block is None and texts:
        settings = read(src.encode(src.text + _appended(src, texts[0])))
        src, texts = settings.source, texts[1:]
    if settings.block is None or not texts:
        return settings
    where = settings.block.layout
    newline = src.newline(where.closing)
    texts = [text.replace("\n", newline) for text in texts]
    return read(src.encode(layout_edit.added(src.text, where, texts, newline)))


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


def _without(settings: Settings, realms: Collection[str], keep_empty: bool) -> Settings:
    """Return the file without the entries of these realms. The last entry is removed first."""
    src, block = settings.source, settings.block
    if block is None or not realms:
        return settings
    if block.ours and len(settings.entries) == len(realms) and not keep_empty:
        return read(src.encode(_without_block(src.text, block)))
    text, where = src.text, block.layout
    for index, realm in reversed(list(enumerate(settings.entries))):
        if realm in realms:
            text, where = layout_edit.removed(text, where, index)
    return read(src.encode(text))


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

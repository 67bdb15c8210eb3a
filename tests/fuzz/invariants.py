"""The invariants of every edit. A broken one raises AssertionError."""

from __future__ import annotations

import ast
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from random import Random
from typing import Any

from scimconf.agent import masking, names, settings_edit, settings_file
from scimconf.agent.entry import same
from scimconf.agent.errors import Refusal
from scimconf.agent.settings_file import IMPORT, NAME, Settings
from tests.fuzz import evaluate
from tests.fuzz.entries import Wanted
from tests.fuzz.entries import request as asked_for
from tests.fuzz.settings_files import File

EDITED, REFUSED, UNCHANGED = "edited", "refused", "unchanged"
NEWLINE = re.compile(r"(?:\r\n|\r|\n)")

WITHOUT_A_PLACE = ("larger than", "not Python that can be parsed")


def settings(random: Random, file: File, request: Mapping[str, Wanted | None]) -> str:
    """Edit the file and return the outcome. Sometimes edit the result once more."""
    after = edited(random, file, request)
    if after is None:
        return REFUSED
    if after == file.data:
        return UNCHANGED
    if random.random() < 0.3:
        edited(random, lived_on(random, file, after), asked_for(random))
    return EDITED


def lived_on(random: Random, file: File, after: bytes) -> File:
    """Return the edited file after an administrator has added lines below the block."""
    source = settings_file.read(after).source
    newline = source.newline(len(source.text))
    ended = "" if source.text.endswith(("\r", "\n")) else newline
    later = random.choice(("", f"{ended}LATER = 1", f"{ended}{newline}# later{newline}"))
    return File(after + later.encode(), file.plain, None, file.computed)


def edited(random: Random, file: File, request: Mapping[str, Wanted | None]) -> bytes | None:
    """Edit the file and check all invariants. Return None if the editor refuses the file."""
    data = file.data
    texts = {realm: each.text if each else None for realm, each in request.items()}
    try:
        before = settings_file.read(data)
        after_data = settings_edit.edit(data, texts)
    except Refusal as refusal:
        assert has_place(refusal), f"refused without a place: {refusal.message}"
        touched = bool(file.computed.intersection(request))
        assert touched or not file.plain, f"refused without need: {refusal.at('settings.py')}"
        return None
    after = settings_file.read(after_data)
    assert file.assignment is None or file.assignment == assignment(before), "another assignment"
    outside(before, after)
    unmanaged(before, after, request)
    evaluated(before, after, request)
    if len(request) == 1:
        in_place(before, after, request)
    shown(before, file)
    assert settings_edit.edit(after_data, texts) == after_data, "the second time changes something"
    taken_away(random, before, after, texts)
    planned(before, after, texts)
    return after_data


def has_place(refusal: Refusal) -> bool:
    """Return whether a refusal names a position, or concerns the file as a whole."""
    where = refusal.line >= 1 and refusal.column >= 1
    return where or refusal.message.startswith(WITHOUT_A_PLACE)


def assignment(found: Settings) -> str | None:
    """Return the text of the assignment, without scimconf's comment lines."""
    return found.source.text[slice(*found.block.span)] if found.block else None


def outside(before: Settings, after: Settings) -> None:
    """Check that no byte changes outside the block, except for a needed import."""
    if before.source.data == after.source.data:
        return
    if before.block is None:
        assert after.source.data.startswith(before.source.data), "the file is not the same above"
        return
    if after.block is None:
        head, tail = _around(before, marked=True)
        left = after.source.text
        assert NEWLINE.sub("", left) == NEWLINE.sub("", head + tail), "more than the block went"
        assert head.startswith(left[: max(0, len(head) - 4)]), "more than a blank line went above"
        assert left.endswith(tail[2:]), "more than a line end went below"
        return
    head, tail = _around(before)
    new_head, new_tail = _around(after)
    assert new_tail == tail, "the file is not the same below"
    assert _without_import(new_head) == _without_import(head), "the file is not the same above"
    assert before.source.encoding == after.source.encoding, "another encoding"
    marks = [found.source.data.startswith(BOM_UTF8) for found in (before, after)]
    assert marks[0] == marks[1], "the byte order mark came or went"


def _without_import(head: str) -> str:
    return re.sub(rf"{re.escape(IMPORT)}{NEWLINE.pattern}\Z", "", head)


def _around(found: Settings, marked: bool = False) -> list[str]:
    assert found.block
    block, text = found.block, found.source.text
    start, end = (block.start, block.end) if marked else block.span
    return [text[:start], text[end:]]


def unmanaged(before: Settings, after: Settings, request: Mapping[str, object]) -> None:
    """Check that realms outside of the request keep their text and order."""
    kept = [(r, e.text) for r, e in before.entries.items() if r not in request]
    left = [(r, e.text) for r, e in after.entries.items() if r not in request]
    assert kept == left, "a realm that nobody asked about is not the same"


def evaluated(before: Settings, after: Settings, request: Mapping[str, Wanted | None]) -> None:
    """Check that Python reads SCIM_CONFIG as wanted and every other name as before."""
    old = evaluate.namespace(before.source.data)
    if old is None:
        return
    new = evaluate.namespace(after.source.data)
    assert new is not None, "the new file does not run"
    config: dict[str, Any] = dict(old.pop("SCIM_CONFIG", {}))
    config_after = new.pop("SCIM_CONFIG", {})
    data_only(before, config)
    for realm, each in request.items():
        if each is None:
            config.pop(realm, None)
        else:
            config[realm] = each.value
    assert seen(config_after) == seen(config), "SCIM_CONFIG is not as wanted"
    if IMPORT in after.source.text or IMPORT in before.source.text:
        old.pop("get_secret", None)
        new.pop("get_secret", None)
    assert old == new, f"other names: {[k for k in {*old, *new} if old.get(k) != new.get(k)]}"


def seen(config: Mapping[str, Any]) -> object:
    """Return SCIM_CONFIG in a comparable form, without the order of a realm's keys."""
    return sorted((realm, repr(evaluate.plain(_sorted(value)))) for realm, value in config.items())


def _sorted(value: Any) -> object:
    return dict(sorted(value.items(), key=repr)) if isinstance(value, dict) else value


def in_place(before: Settings, after: Settings, request: Mapping[str, Wanted | None]) -> None:
    """Check that in an entry with the same keys, only the different values change."""
    for realm in (realm for realm, each in request.items() if each and realm in before.entries):
        old, new = before.entries[realm], after.entries[realm]
        if old.computed or keys(old.value) is None or keys(old.value) != keys(new.value):
            continue
        assert isinstance(old.value, ast.Dict)
        assert isinstance(new.value, ast.Dict)
        pairs = list(zip(old.value.values, new.value.values, strict=True))
        alike = [same(*pair) for pair in pairs]
        frames = [
            frame(found, [pair[index] for pair in pairs], alike)
            for index, found in enumerate((before, after))
        ]
        assert frames[0] == frames[1], f"{realm}: more than the values that differ has changed"


def keys(value: ast.expr) -> list[object] | None:
    """Return the keys of a plain dict, None if it is not one or has a key twice."""
    if not isinstance(value, ast.Dict) or not value.keys:
        return None
    found = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
    texts = {name for name in found if isinstance(name, str)}
    return found if len(texts) == len(found) else None


def frame(found: Settings, values: list[ast.expr], same: list[bool]) -> str:
    """Return the assignment's text, with a mark in place of each value that differs."""
    assert found.block
    start, end = found.block.span
    text = found.source.text
    for value, kept in reversed(list(zip(values, same, strict=True))):
        if not kept:
            first, last = found.source.span(value)
            text, end = text[:first] + "VALUE" + text[last:], end - (last - first) + len("VALUE")
    return text[start:end]


def data_only(found: Settings, config: Mapping[str, Any]) -> None:
    """Check that scimconf and Python read the same values in each entry."""
    assert list(found.entries) == list(config) or found.block is None, "other realms than read"
    for realm, entry in found.entries.items():
        if entry.unreadable:
            continue
        value = dict(config[realm])
        token = value.pop("bearer_token", None)
        assert value == entry.values, f"{realm}: read otherwise than Python does"
        known = entry.token if not entry.secret_name else evaluate.secret(entry.secret_name)
        assert (token or None) == known, f"{realm}: another token than Python reads"


def shown(found: Settings, file: File) -> None:
    """Check that the masked block is valid Python and that no value contains a token."""
    text = masking.block(found, {})
    assert (text is None) == (found.block is None)
    if text is None:
        return
    assert not (file.plain and "of-an-admin" in text), "a token is shown"
    display = names.assigned(settings_file.read(text.encode()).source.tree.body[-1], NAME)
    assert isinstance(display, ast.Dict)
    tokens = [token for token in found.tokens({}).values() if len(token) >= 8]
    for entry in display.values:
        values = [entry] if not isinstance(entry, ast.Dict) else entry.values
        for node in (node for value in values for node in ast.walk(value)):
            held = str(node.value) if isinstance(node, ast.Constant) else ""
            assert not any(token in held for token in tokens), "a token is shown"


def planned(before: Settings, after: Settings, texts: Mapping[str, str | None]) -> None:
    """Check that the masked block can be edited in the same way, as diff.py does for a plan."""
    above = "from .config import get_secret\n\n" if before.imports_get_secret else ""
    block = masking.block(before, {}) or ""
    try:
        result = settings_edit.edit((above + block).encode(), texts)
    except Refusal as refusal:
        raise AssertionError(f"a plan could not show it: {refusal.message}") from refusal
    edit = settings_file.read(result)
    assert list(edit.entries) == list(after.entries), "a plan shows others"
    if "unicode_escape" not in before.source.encoding:  # in that encoding, text is read differently
        assert without_import(edit) == without_import(after), "a plan shows another edit"


def without_import(found: Settings) -> str:
    """Return the masked block without the import, which a plan may leave out."""
    return (masking.block(found, {}) or "").replace(f"{IMPORT}\n", "")


def taken_away(
    random: Random, before: Settings, after: Settings, texts: Mapping[str, str | None]
) -> None:
    """Check that removing the added realms restores the old bytes, at once or one by one."""
    added = [realm for realm in after.entries if realm not in before.entries]
    others = [realm for realm in texts if realm in before.entries]
    if others or not added or lacks_import(before) or IMPORT in before.source.text:
        return
    at_once = settings_edit.edit(after.source.data, dict.fromkeys(added))
    assert at_once == before.source.data, "taken away at once, something stays"
    if len(added) == 1 or random.random() < 0.5:
        return
    random.shuffle(added)
    data = after.source.data
    for realm in added:
        data = settings_edit.edit(data, {realm: None})
    assert data == before.source.data, "taken away one by one, something stays"


def lacks_import(found: Settings) -> bool:
    """Return whether the file needs the import of get_secret but does not have it."""
    return "get_secret" in found.source.text and evaluate.namespace(found.source.data) is None

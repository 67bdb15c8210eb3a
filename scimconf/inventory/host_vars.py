"""Add variables to files in host_vars/ or group_vars/ without changing an existing line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from scimconf import files
from scimconf.errors import InventoryError, UsageError
from scimconf.inventory.encrypted import is_encrypted
from scimconf.model import VaultValue
from scimconf.yamlfile import parse, read_text

_EXTENSIONS = ("", ".yml", ".yaml", ".json")
"""In the order in which Ansible looks for a file (parsing/dataloader.py, find_vars_files)."""


def place(source: Path, name: str, kind: Literal["host_vars", "group_vars"] = "host_vars") -> Path:
    """Return the file for the variables of a host or group: an existing file, or a new one.

    `source` is the inventory file or folder. Raises UsageError if no file can be used.
    """
    if Path(name).name != name or name == ".." or "\0" in name:
        raise UsageError(f"{name!a} is not a valid file name, so it cannot have {kind}")
    folder = (source if source.is_dir() else source.parent) / kind
    for extension in _EXTENSIONS:
        path = folder / (name + extension)
        if path.is_dir():
            return path / "scimconf.yaml"
        if path.exists():
            if extension == ".json":
                raise UsageError(f"cannot add lines to {path}, which is JSON", "convert it to YAML")
            return path
    return folder / f"{name}.yaml"


def may_be_template(text: str) -> bool:
    """Return True if Ansible could expand this text, or YAML could read it as a tag.

    A brace starts a template; `#jinja2:` at the start can make any other text a template (ansible's
    _jinja_bits.py, is_possibly_template).
    """
    return "{" in text or text.startswith(("#", "!"))


def added(path: Path, variables: Mapping[str, object], comment: str) -> str:
    """Return the text of the file with these variables at its end; the rest does not change.

    The end is before a document end marker (`...`). A missing line break is added first. Raises
    UsageError if the new text would not be read back with exactly these variables, or if a key
    could be a template: a key cannot be tagged `!unsafe`.
    """
    before = read_text(path) if path.exists() else ""
    line_break = "\r\n" if "\r\n" in before else "\n"
    marker = _END.search(before)
    end = marker.start() if marker else len(before)
    gap = "" if not end or before[end - 1] in "\r\n" else line_break
    new = f"# {comment}\n" + "".join(_lines(variables))
    text = before[:end] + gap + new.replace("\n", line_break) + before[end:]
    if problem := _why_not_added(before, text, variables, path):
        raise UsageError(f"cannot add variables to {path}: {problem[0]}", problem[1])
    return text


_END = re.compile(r"^\.\.\.(?=\s|\Z)", re.MULTILINE)


def _why_not_added(
    before: str, text: str, variables: Mapping[str, object], path: Path
) -> tuple[str, str] | None:
    """Return why `text` is not `before` with these variables, and a hint; None if it is."""
    folder = f"move the file into a folder: {path.with_suffix('')}/"
    if is_encrypted(before):
        moved = f"move it into a folder: {path.parent / path.stem}/{path.name}"
        return "it is encrypted as a whole", f"{moved}; scimconf then writes a file beside it"
    try:
        known = parse(before, str(path)).data
    except InventoryError as error:
        return f"it is not valid YAML: {error.problems[0].text('error')}", "correct the file"
    if known is None:
        known = {}
    if not isinstance(known, dict):
        return "it is not a YAML mapping", "write its variables as NAME: VALUE"
    if names := [name for name in variables if name in known]:
        return f"it already has {', '.join(names)}", "remove these variables from the file"
    try:
        now = parse(text, str(path)).data
    except InventoryError:
        now = None
    if isinstance(now, dict) and _settled(now) == _settled({**known, **variables}):
        return None
    if isinstance(now, dict) and now.keys() == known.keys() | variables.keys():
        return (
            "it ends inside a text block (|), and a line break there would change that text",
            "end the file with a line break",
        )
    return (
        "its variables are not on lines of their own that begin in the first column",
        f"write them so, without {{}}; or {folder}",
    )


def _settled(value: object) -> object:
    """Replace vault values by their text without white space at its end, which means nothing."""
    if isinstance(value, VaultValue):
        return VaultValue(value.ciphertext.rstrip())
    if isinstance(value, Mapping):
        return {key: _settled(inner) for key, inner in value.items()}
    return [_settled(each) for each in value] if isinstance(value, list) else value


def write(path: Path, text: str) -> None:
    """Replace the file atomically. Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        real = path.resolve()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    files.write_atomically(real, text, shared=True)


@contextmanager
def written(texts: Mapping[Path, str]) -> Iterator[None]:
    """Write these files for the `with` block; restore them if the block raises."""
    before = {path: read_text(path) if path.exists() else None for path in texts}
    try:
        for path, text in texts.items():
            write(path, text)
        yield
    except BaseException:
        for path, old in before.items():
            if old is not None:
                write(path, old)
            else:
                path.unlink(missing_ok=True)
                with suppress(OSError):
                    path.parent.rmdir()  # fails if it is not empty
        raise


def _lines(variables: Mapping[str, object]) -> Iterator[str]:
    for name, value in variables.items():
        yield f"{name}:{_value(value, 1)}"


def _value(value: object, level: int) -> str:
    """Return a value and a line break: mappings as YAML, everything else as JSON, which is YAML.

    Keys are quoted because `no` and `010` can be realms. Text that could be a template is tagged
    `!unsafe`: it comes from a server, and Ansible would run its lookups on this machine.
    """
    if isinstance(value, str):
        return f" {'!unsafe ' * may_be_template(value)}{_quoted(value)}\n"
    if not isinstance(value, Mapping) or not value:
        text = json.dumps(value)
        return f" {'!unsafe ' * (('{' in text and text != '{}') or '#' in text)}{text}\n"
    inner = (f"{'  ' * level}{_key(key)}:{_value(value[key], level + 1)}" for key in value)
    return "\n" + "".join(inner)


def _key(key: str) -> str:
    if may_be_template(key):
        raise UsageError(f"cannot write the key {key!a}: Ansible could run it as a template")
    return _quoted(key)


def _quoted(text: str) -> str:
    """Return a double-quoted scalar (YAML 1.1, 5.7): JSON's escapes without surrogates."""
    escaped = (
        f"\\U{ord(each):08x}"
        if each > "\uffff" and not each.isprintable()
        else json.dumps(each, ensure_ascii=not each.isprintable())[1:-1]
        for each in text
    )
    return f'"{"".join(escaped)}"'

"""Variables put beside an inventory, into host_vars/ or group_vars/: no line there changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from scimconf import files
from scimconf.errors import InventoryError, UsageError
from scimconf.yamlfile import parse, read_text

_EXTENSIONS = ("", ".yml", ".yaml", ".json")
"""As ansible's parsing/dataloader.py (find_vars_files) looks for them: the first that is there."""


def place(source: Path, name: str, kind: Literal["host_vars", "group_vars"] = "host_vars") -> Path:
    """Give the file for a host's or group's variables that Ansible and scimconf will read: one that
    is there already, else a new one. `source` is the inventory file or folder.

    Raises UsageError where there is none that could be added to.
    """
    if Path(name).name != name or name == ".." or "\0" in name:
        raise UsageError(f"{name!a} cannot be the name of a file: there are no {kind} for it")
    folder = (source if source.is_dir() else source.parent) / kind
    for extension in _EXTENSIONS:
        path = folder / (name + extension)
        if path.is_dir():
            return path / "scimconf.yaml"
        if path.exists():
            if extension == ".json":
                raise UsageError(f"{path} is JSON: make it YAML, so that lines can be added")
            return path
    return folder / f"{name}.yaml"


def may_be_template(text: str) -> bool:
    """Return True if Ansible could expand this text, or YAML take it for a tag.

    A brace begins a template; `#jinja2:` at the start lets any other character do so (ansible's
    _jinja_bits.py, is_possibly_template).
    """
    return "{" in text or text.startswith(("#", "!"))


def added(path: Path, variables: Mapping[str, object], comment: str) -> str:
    """Return the text of the file with these variables at its end; what is there stays as it is.

    Raises UsageError where they cannot be added so that they are read back as they are, and for a
    key that could be a template: nothing marks a key as `!unsafe`.
    """
    before = read_text(path) if path.exists() else ""
    gap = "" if not before or before.endswith("\n") else "\n"
    text = f"{before}{gap}# {comment}\n" + "".join(_lines(variables))
    if _adds(before, text, variables, path):
        return text
    raise UsageError(
        f"{path} cannot be added to: it is no plain YAML mapping, or says some of it already",
        "take its scim_ variables out, or put it into a folder of this name",
    )


def _adds(before: str, text: str, variables: Mapping[str, object], path: Path) -> bool:
    try:
        known = parse(before, str(path)).data or {}
        now = parse(text, str(path)).data
    except InventoryError:
        return False
    if not isinstance(known, dict) or known.keys() & variables.keys():
        return False
    return bool(now == {**known, **variables})


def write(path: Path, text: str) -> None:
    """Write it as a whole: whoever looks meanwhile finds the old text or the new. UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        real = path.resolve()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    files.write_atomically(real, text, shared=True)


@contextmanager
def written(texts: Mapping[Path, str]) -> Iterator[None]:
    """Write these files; if what is done with them then fails, they are as they were before."""
    before = {path: read_text(path) if path.exists() else None for path in texts}
    try:
        for path, text in texts.items():
            write(path, text)
        yield
    except BaseException:
        for path, there in before.items():
            if there is not None:
                write(path, there)
            else:
                path.unlink(missing_ok=True)
        raise


def _lines(variables: Mapping[str, object]) -> Iterator[str]:
    for name, value in variables.items():
        yield f"{name}:{_value(value, 1)}"


def _value(value: object, level: int) -> str:
    """Return a value with the line end: mappings as YAML has them, all else as JSON, which is YAML.

    Keys are quoted: `no` and `010` are names of realms, too. What could be a template is `!unsafe`:
    these are a server's words, and Ansible would run the lookups in them here.
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
        raise UsageError(
            f"the key {key!a} could be a template, and Ansible would run it: it is not written"
        )
    return _quoted(key)


def _quoted(text: str) -> str:
    """Give text as a double-quoted scalar (YAML 1.1, 5.7): JSON's escapes, but no surrogates."""
    escaped = (
        f"\\U{ord(each):08x}"
        if each > "\uffff" and not each.isprintable()
        else json.dumps(each, ensure_ascii=not each.isprintable())[1:-1]
        for each in text
    )
    return f'"{"".join(escaped)}"'

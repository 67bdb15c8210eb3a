"""Reads YAML and JSON as Ansible does, with the place of everything, within limits.

The only room that knows ruamel.yaml, and all it takes from there is the stream of events. Files
are never written through a YAML library: whoever changes one inserts text into `Document.text`
at `Document.line_span(way)`, so that no other line changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NoReturn

from ruamel.yaml.error import YAMLError

from scimconf.errors import InventoryError
from scimconf.model import Position, Problem
from scimconf.yamlfile.composer import Composer
from scimconf.yamlfile.document import Document, KeyPath
from scimconf.yamlfile.json_text import JsonReader, NotJson
from scimconf.yamlfile.limits import MAX_BYTES

__all__ = [
    "MAX_BYTES",
    "Document",
    "KeyPath",
    "load",
    "parse",
    "parse_json",
    "read_stream",
    "read_text",
]


def load(path: Path) -> Document:
    """Read a YAML file of at most 8 MiB.

    Raises InventoryError, with the place where there is one, for what cannot be read or is not
    YAML as Ansible understands it.
    """
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Read a UTF-8 file of at most 8 MiB, its byte order mark and line ends as they are.

    Raises InventoryError where it is missing, a folder, unreadable, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            return read_stream(file, str(path))
    except IsADirectoryError:
        _refuse(f"{path} is a folder, a file was expected")
    except OSError as error:
        _refuse(f"cannot read {path}: {error.strerror}")
    except ValueError:
        _refuse(f"{str(path)!r} is not a file name")


def read_stream(file: BinaryIO, name: str) -> str:
    """Read UTF-8 text of at most 8 MiB; raises InventoryError as `read_text` does."""
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        _refuse(f"{name} is larger than {MAX_BYTES // 1024 // 1024} MiB and was not read")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        where = Position(name, before.count(b"\n") + 1, column)
        raise InventoryError([Problem("the file is not UTF-8 text", where)]) from None


def parse(text: str, file: str) -> Document:
    """Read YAML or JSON out of `text`; `file` is the name that positions carry.

    Raises as `load` does.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            return _json(text, file)
        except NotJson:
            pass  # `{hosts: {a: }}` is YAML
    composer = Composer(file, text)
    try:
        data = composer.compose()
    except YAMLError:
        # libyaml is forty times as fast; ruamel.yaml's own parser says better what is wrong.
        composer = Composer(file, text, pure=True)
        data = composer.compose()
    return Document(file, text, data, composer.spans)


def parse_json(text: str, file: str) -> Document:
    """Read JSON and nothing else; like `parse`."""
    try:
        return _json(text, file)
    except NotJson as error:
        raise InventoryError([error.problem]) from None


def _json(text: str, file: str) -> Document:
    reader = JsonReader(file, text)
    return Document(file, text, reader.read(), reader.spans, is_json=True)


def _refuse(message: str) -> NoReturn:
    raise InventoryError([Problem(message)]) from None

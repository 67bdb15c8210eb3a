"""Read YAML and JSON as Ansible does, with positions and within limits.

Only this package imports ruamel.yaml, and it uses only the parser's events. No YAML library ever
writes a file: to change one, insert text into `Document.text` at `Document.line_span(path)`, so
that no other line changes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from scimconf.errors import InventoryError
from scimconf.model import Position, Problem
from scimconf.yamlfile import json_text, wording
from scimconf.yamlfile.composer import Composer
from scimconf.yamlfile.document import Document, KeyPath
from scimconf.yamlfile.json_text import NotJson
from scimconf.yamlfile.limits import MAX_BYTES, MAX_NODES

__all__ = [
    "MAX_BYTES",
    "MAX_NODES",
    "Document",
    "KeyPath",
    "load",
    "parse",
    "parse_json",
    "read_stream",
    "read_text",
]


_COMMENT = re.compile(rb"^[#;].*$", re.MULTILINE)


def load(path: Path) -> Document:
    """Read a YAML file of at most 8 MiB.

    Raises InventoryError, with positions where possible, if the file cannot be read or is not YAML
    as Ansible reads it.
    """
    return parse(read_text(path), str(path))


def read_text(path: Path, *, any_comments: bool = False) -> str:
    """Read a UTF-8 file of at most 8 MiB; keep its byte order mark and its line breaks.

    `any_comments`: lines that start with `#` or `;` may have another encoding, as Ansible allows it
    in INI files. Raises InventoryError if the file is missing, a folder, unreadable, too large or
    not UTF-8.
    """
    try:
        with path.open("rb") as file:
            return read_stream(file, str(path), any_comments=any_comments)
    except IsADirectoryError:
        _refuse(f"{path} is a folder, expected a file")
    except OSError as error:
        _refuse(f"cannot read {path}: {error.strerror}")
    except ValueError:
        _refuse(f"{str(path)!r} is not a valid file name")


def read_stream(file: BinaryIO, name: str, *, any_comments: bool = False) -> str:
    """Read UTF-8 text of at most 8 MiB. Parameters and errors are as for `read_text`."""
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        _refuse(f"{name} is larger than {MAX_BYTES // 1024 // 1024} MiB and was not read")
    with suppress(UnicodeDecodeError):
        return content.decode()
    if any_comments:
        content = _COMMENT.sub(lambda line: line[0].decode("ascii", "replace").encode(), content)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        where = Position(name, before.count(b"\n") + 1, column)
        raise InventoryError([Problem("the file is not UTF-8 text", where)]) from None


def parse(text: str, file: str) -> Document:
    """Parse YAML or JSON; `file` is the file name in positions. Raises as `load` does."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            return _json(text, file)
        except NotJson:
            pass  # `{hosts: {a: }}` is YAML, not JSON
    if not text.startswith("\ufeff"):  # libyaml's offsets do not count the byte order mark
        # ruamel.yaml's own parser is forty times as slow. It also accepts a colon in a flow
        # collection (`[op://x]`), as the newer libyaml of Ansible does, and its errors are better.
        with suppress(YAMLError):
            return _yaml(text, file, pure=False)
    return _yaml(text, file, pure=True)


def parse_json(text: str, file: str) -> Document:
    """Parse JSON only; otherwise as `parse`."""
    try:
        return _json(text, file)
    except NotJson as error:
        raise InventoryError([error.problem]) from None


def _yaml(text: str, file: str, *, pure: bool) -> Document:
    """Parse with libyaml, or with `pure` with ruamel.yaml's own parser.

    Raises InventoryError, and with libyaml YAMLError.
    """
    yaml = YAML(typ="safe", pure=pure)
    yaml.version = (1, 1)
    composer = Composer(Document(file, text, None, {}))
    try:
        data = composer.compose(yaml.parse(text))
    except YAMLError as error:
        if not pure:
            raise
        problem = wording.problem(error, composer.document, composer.brackets)
        raise InventoryError([*composer.problems, problem]) from None
    return Document(file, text, data, composer.spans)


def _json(text: str, file: str) -> Document:
    composer = Composer(Document(file, text, None, {}, is_json=True))
    json_text.check(text, composer.document)
    data = composer.compose(json_text.events(text))
    return Document(file, text, data, composer.spans, is_json=True)


def _refuse(message: str) -> NoReturn:
    raise InventoryError([Problem(message)]) from None

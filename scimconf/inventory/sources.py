"""Which files an inventory consists of.

The rules are those of ansible's inventory/manager.py (parse_source), plugins/inventory/yaml.py
and parsing/dataloader.py (find_vars_files).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import InventoryError
from scimconf.inventory.links import Links
from scimconf.inventory.place import nearest
from scimconf.model import Problem
from scimconf.yamlfile import Document, parse, read_stream, read_text

STDIN = Path("-")
_NEVER_A_SOURCE = re.compile(
    r"^\.|^(?:host_vars|group_vars|vars_plugins)$"
    r"|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
_VARS_EXTENSIONS = ("", ".yml", ".yaml", ".json")
_INI_SECTION = re.compile(r"\s*\[[\w.:-]+\]\s*(?:[#;].*)?")
_MAX_FOLDERS = 20


@dataclass(frozen=True, slots=True)
class Source:
    """One `-i`: its inventory files in order, and the folder where its group_vars are."""

    files: tuple[Path, ...]
    folder: Path


def folder_of(path: Path) -> Path:
    """Return the folder where the group_vars of an `-i PATH` are."""
    if path == STDIN:
        return Path()
    return path if path.is_dir() else path.parent


def find(path: Path, links: Links) -> Source:
    """Return what an `-i PATH` means: a file, a folder of them, or stdin. Raises InventoryError."""
    if path == STDIN:
        return Source((path,), Path())
    links.check_source(path)
    if path.is_dir():
        files = tuple(_files(path, _MAX_FOLDERS, lambda each: links.check(each, path)))
        if not files:
            raise InventoryError([Problem(f"the folder {path} holds no inventory file")])
        return Source(files, path)
    if not path.exists():
        # open() says it too, but cannot say what was meant.
        there = os.listdir(path.parent) if path.parent.is_dir() else []
        message = f"there is no inventory {path}"
        raise InventoryError([Problem(message, hint=nearest(path.name, there))])
    return Source((path,), path.parent)


def _files(folder: Path, levels: int, check: Callable[[Path], None]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if _NEVER_A_SOURCE.search(path.name):
            continue
        check(path)
        if path.is_dir():
            if levels:
                yield from _files(path, levels - 1, check)
        elif path.is_file():
            yield path
        else:  # a pipe would be waited for
            raise InventoryError([Problem(f"{path} is no file")])


def read(path: Path) -> Document:
    """Read one inventory file, or stdin where it is `-`. Raises InventoryError."""
    if path == STDIN:
        return parse(read_stream(sys.stdin.buffer, "stdin"), "stdin")
    text = read_text(path)
    try:
        return parse(text, str(path))
    except InventoryError as error:
        if any(_INI_SECTION.fullmatch(line) for line in text.splitlines()[:200]):
            hint = "ansible-inventory --list --yaml -i FILE writes it as YAML"
            problem = Problem("this looks like an INI inventory, only YAML is read", hint=hint)
            raise InventoryError([*error.problems, problem]) from None
        raise


def vars_texts(folders: Iterable[Path]) -> Iterator[str]:
    """Give the texts of all files with variables beside the sources, as far as they can be read."""
    for folder in dict.fromkeys(folders):
        for path in (folder / "group_vars", folder / "host_vars"):
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    with suppress(InventoryError):
                        yield read_text(file)


class VarsFolder:
    """The `group_vars/` and `host_vars/` in one folder, each listed once."""

    def __init__(self, folder: Path, links: Links) -> None:
        self.folder = folder
        self._links = links
        self._names: dict[str, frozenset[str]] = {}

    def files(self, kind: str, name: str) -> Sequence[Path]:
        """Give the files with the variables of a group or host; `kind` is group_vars or host_vars.

        That is one file, or all files of a folder in the order of their names. Raises
        InventoryError for a link to a folder elsewhere: it is not listed.
        """
        present = self._present(kind)
        for extension in _VARS_EXTENSIONS:
            if name + extension in present:
                path = self.folder / kind / (name + extension)
                return tuple(_vars_in(path, _MAX_FOLDERS, self.check)) if path.is_dir() else (path,)
        return ()

    def check(self, path: Path) -> None:
        """Raise InventoryError for a link that leads where it must not."""
        self._links.check(path, self.folder)

    def _present(self, kind: str) -> frozenset[str]:
        if kind not in self._names:
            folder = self.folder / kind
            self.check(folder)
            names = os.listdir(folder) if folder.is_dir() else ()
            self._names[kind] = frozenset(names)
        return self._names[kind]


def _vars_in(folder: Path, levels: int, check: Callable[[Path], None]) -> Iterator[Path]:
    check(folder)
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir():
            if not path.suffix and levels:
                yield from _vars_in(path, levels - 1, check)
        elif path.suffix in _VARS_EXTENSIONS:
            yield path

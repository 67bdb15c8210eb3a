"""Which files an inventory consists of.

The rules are those of ansible's inventory/manager.py (parse_source), plugins/inventory/yaml.py
and parsing/dataloader.py (find_vars_files).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import InventoryError
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


def find(path: Path) -> Source:
    """Give what an `-i PATH` means: a file, a folder of them, or stdin. Raises InventoryError."""
    if path == STDIN:
        return Source((path,), Path())
    if path.is_dir():
        files = tuple(_files(path, _MAX_FOLDERS))
        if not files:
            raise InventoryError([Problem(f"the folder {path} holds no inventory file")])
        return Source(files, path)
    if not path.exists():
        # open() says it too, but cannot say what was meant.
        there = os.listdir(path.parent) if path.parent.is_dir() else []
        message = f"there is no inventory {path}"
        raise InventoryError([Problem(message, hint=nearest(path.name, there))])
    return Source((path,), path.parent)


def _files(folder: Path, levels: int) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if _NEVER_A_SOURCE.search(path.name):
            continue
        if not path.is_dir():
            yield path
        elif levels:
            yield from _files(path, levels - 1)


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


def check_link(path: Path, *, trusted: bool) -> None:
    """Refuse, unless the inventory is `trusted`, a link in its git tree that leads out of it.

    Whoever can have a plan made of a merge request could show any YAML of this machine in it.
    Raises InventoryError.
    """
    here = Path(os.path.abspath(path))
    there = here.resolve()
    if trusted or there == here:
        return
    # The outermost tree: an inventory may be in a submodule of what it came with.
    trees = [each for each in here.parents if (each / ".git").exists()]
    if trees and not there.is_relative_to(trees[-1].resolve()):
        message = f"{path} is a link to {there}, outside of {trees[-1]}, which it came with"
        hint = "copy it there; or --allow-exec, if you trust the inventory as you do a program"
        raise InventoryError([Problem(message, hint=hint)])


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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[str, frozenset[str]] = {}

    def files(self, kind: str, name: str) -> Sequence[Path]:
        """Give the files with the variables of a group or host; `kind` is group_vars or host_vars.

        That is one file, or all files of a folder in the order of their names.
        """
        present = self._present(kind)
        for extension in _VARS_EXTENSIONS:
            if name + extension in present:
                path = self.folder / kind / (name + extension)
                return tuple(_vars_in(path, _MAX_FOLDERS)) if path.is_dir() else (path,)
        return ()

    def _present(self, kind: str) -> frozenset[str]:
        if kind not in self._names:
            folder = self.folder / kind
            names = os.listdir(folder) if folder.is_dir() else ()
            self._names[kind] = frozenset(names)
        return self._names[kind]


def _vars_in(folder: Path, levels: int) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir():
            if not path.suffix and levels:
                yield from _vars_in(path, levels - 1)
        elif path.suffix in _VARS_EXTENSIONS:
            yield path

"""Find and read the files of an inventory.

The rules are those of ansible's inventory/manager.py (parse_source), its inventory plugins (script,
auto, yaml, ini), and parsing/dataloader.py (find_vars_files).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import ini
from scimconf.inventory.encrypted import ClosedFileError, Vault
from scimconf.inventory.hosts import through_ansible
from scimconf.inventory.links import STREAMS, Links
from scimconf.inventory.place import DECRYPTED, NOT_VALID, nearest
from scimconf.model import Position, Problem
from scimconf.yamlfile import Document, parse, read_stream, read_text

STDIN = Path("-")
_NEVER_A_SOURCE = re.compile(
    r"^\.|^(?:host_vars|group_vars|vars_plugins)$"
    r"|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
_VARS_EXTENSIONS = ("", ".yml", ".yaml", ".json")
_YAML_ENDINGS = (".yaml", ".yml", ".json")
_MAX_FOLDERS = 20


@dataclass(frozen=True, slots=True)
class Source:
    """The inventory files of one `-i` in order, and the folder with its group_vars."""

    files: tuple[Path, ...]
    folder: Path


def folder_of(path: Path) -> Path:
    """Return the folder with the group_vars of an `-i PATH`."""
    if path == STDIN:
        return Path()
    return path if path.is_dir() else path.parent


def find(path: Path, links: Links) -> Source:
    """Return the source for an `-i PATH`: a file, a folder or stdin. Raises InventoryError."""
    if path == STDIN:
        return Source((path,), Path())
    if "," in str(path) and not path.exists():
        message = f"the inventory {path} does not exist, and scimconf reads no list of hosts"
        raise InventoryError(
            [Problem(message, hint="write the hosts into a file, one on each line")]
        )
    links.check_source(path)
    if path.is_dir():
        files = tuple(_files(path, _MAX_FOLDERS, lambda each: links.check(each, path)))
        if not files:
            raise InventoryError([Problem(f"the folder {path} contains no inventory file")])
        return Source(files, path)
    if not path.exists():
        # Checked here, because open() has no hint with the most similar name.
        there = os.listdir(path.parent) if path.parent.is_dir() else []
        message = f"the inventory {path} does not exist"
        raise InventoryError([Problem(message, hint=nearest(path.name, there))])
    if not path.is_file() and not str(path).startswith(STREAMS):  # reading a pipe would block
        hint = "write the inventory into a file, or pipe it to: scimconf ... -i -"
        raise InventoryError([Problem(f"the inventory {path} is not a regular file", hint=hint)])
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
        else:  # reading a pipe would block
            raise InventoryError([Problem(f"{path} is not a regular file")])


def read(path: Path, vault: Vault) -> Document:
    """Read one inventory file, or stdin for `-`. Raises InventoryError."""
    is_stdin = path == STDIN
    file = "stdin" if is_stdin else str(path)
    if is_stdin:
        text = read_stream(sys.stdin.buffer, "stdin")
    else:
        text = read_text(path, any_comments=path.suffix not in _YAML_ENDINGS)
    try:
        return document(file, text, vault, as_inventory)
    except ClosedFileError as error:
        raise InventoryError([error.problem("its hosts are not known")]) from None


def as_inventory(text: str, file: str) -> Document:
    """Parse an inventory: YAML, JSON or INI (an IniDocument). Raises InventoryError.

    Ansible decides it like this: a file whose name has another ending than YAML's is INI. Any other
    file is YAML if it is a mapping, and INI if not.
    """
    ending = os.path.splitext(file)[1]
    if ending == ".toml":
        hint = f"run {through_ansible(Path(file))}"
        problem = Problem("TOML inventories are not supported", Position(file, 1, 1), hint=hint)
        raise InventoryError([problem])
    if ending not in ("", *_YAML_ENDINGS):
        return ini.parse(text, file)
    return yaml_or_ini(text, file)


def yaml_or_ini(text: str, file: str) -> Document:
    """Parse an inventory by its content only: YAML if it is a mapping, else INI if it can be.

    Raises InventoryError.
    """
    if ini.cannot_be_yaml(text):
        with suppress(InventoryError):
            return ini.parse(text, file)
    has_yaml_name = file.endswith(_YAML_ENDINGS)
    try:
        document = parse(text, file)
    except InventoryError:
        may_be_ini = ini.looks_like_ini(text) or not has_yaml_name
        if may_be_ini and (found := _as_ini(text, file)):
            return found
        raise
    if isinstance(document.data, str) and not has_yaml_name:
        return ini.parse(text, file)
    is_empty = document.data is None and (has_yaml_name or not text.strip())
    if isinstance(document.data, dict) or is_empty:
        return document
    return _as_ini(text, file) or document


def _as_ini(text: str, file: str) -> Document | None:
    """Parse text that is no YAML inventory as INI. Return None if it is not INI either.

    Raises InventoryError if it has sections as an INI inventory has them, and a mistake.
    """
    try:
        return ini.parse(text, file)
    except InventoryError:
        if ini.looks_like_ini(text):
            raise
    return None


def document(
    file: str, text: str, vault: Vault, parser: Callable[[str, str], Document] = parse
) -> Document:
    """Parse the text of a file, decrypted if it is encrypted as a whole.

    Raises InventoryError for text that is not YAML, and ClosedFileError.
    """
    text, key = vault.text(file, text)
    if key is None:
        return parser(text, file)
    try:
        found = replace((parser if vault.trusted else parse)(text, file), key=key)
    except InventoryError as error:
        at = [each.position or Position(file, 1, 1) for each in error.problems]
        problems = [Problem(NOT_VALID + DECRYPTED, each, hint=_VIEW) for each in at]
        raise InventoryError(problems) from None
    if found.data is not None and not isinstance(found.data, dict):
        raise InventoryError([Problem(_NO_MAPPING + DECRYPTED, Position(file, 1, 1), hint=_VIEW)])
    return found


_NO_MAPPING = "an encrypted file must contain a YAML mapping"
_VIEW = (
    "to see it: ansible-vault view FILE; an encrypted INI inventory is read only with "
    "--allow-exec=inventory, because any encrypted value could be copied into a file of its own"
)


def vars_texts(folders: Iterable[Path], vault: Vault) -> Iterator[str]:
    """Yield the text of each readable file in group_vars and host_vars beside the sources."""
    for folder in dict.fromkeys(folders):
        for path in (folder / "group_vars", folder / "host_vars"):
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    with suppress(UsageError):
                        yield vault.text(str(file), read_text(file))[0]


class VarsFolder:
    """The `group_vars/` and `host_vars/` of one folder; each is listed only once."""

    def __init__(self, folder: Path, links: Links) -> None:
        self.folder = folder
        self._links = links
        self._names: dict[str, frozenset[str]] = {}

    def files(self, kind: str, name: str) -> Sequence[Path]:
        """Return the variable files of a group or host; `kind` is group_vars or host_vars.

        This is one file, or all files of a folder sorted by name. Raises InventoryError for a link
        to a folder outside of the inventory, without listing that folder.
        """
        present = self._present(kind)
        for extension in _VARS_EXTENSIONS:
            if name + extension in present:
                path = self.folder / kind / (name + extension)
                return tuple(_vars_in(path, _MAX_FOLDERS, self.check)) if path.is_dir() else (path,)
        return ()

    def check(self, path: Path) -> None:
        """Raise InventoryError for a link that leads out of the inventory."""
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

"""Find out whether git tracks a file.

Only git's index is read. git itself is not started, because it runs programs that the files of a
checkout can name (a folder of the checkout may look like a bare repository).
"""

from __future__ import annotations

import os
from pathlib import Path

from scimconf import files

_LARGEST = 256 << 20
"""Bytes of an index. An entry has some 100."""
_PLAIN = (2, 3)
"""Versions of the format that contain each path as plain text (gitformat-index(5))."""


def has(file: Path) -> bool:
    """Return whether git tracks the file; True, too, if the index cannot be understood.

    A file of the same name in another folder of the repository counts as this file.
    """
    folders = (folder / ".git" for folder in file.absolute().parents)
    found = next((folder for folder in folders if os.path.lexists(folder)), None)
    if found is None:
        return False
    try:
        return any(_names(each, file.name) for each in _indexes(_git_folder(found)))
    except (OSError, ValueError):
        return True


def _git_folder(found: Path) -> Path:
    """Return the folder with the index. In a worktree and a submodule, `.git` is a file."""
    if found.is_dir():
        return found
    text = files.read(str(found), files.MAX_KEY_BYTES).decode(errors="surrogateescape")
    key, _, path = text.strip().partition("gitdir: ")
    if key or not path:
        raise ValueError(path)
    return found.parent / path


def _indexes(folder: Path) -> list[Path]:
    """Return the index, and the files that a split index shares."""
    return [folder / name for name in os.listdir(folder) if name.startswith(("index", "shared"))]


def _names(index: Path, name: str) -> bool:
    """Return whether the index contains the name, in capitals or not: some disks ignore that."""
    data = files.read(str(index), _LARGEST)
    if data[:4] != b"DIRC" or int.from_bytes(data[4:8], "big") not in _PLAIN:
        raise ValueError(index)
    return os.fsencode(name.lower()) + b"\0" in data.lower()

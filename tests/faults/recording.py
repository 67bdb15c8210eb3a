"""Record the agent's file operations in this process."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import durable
from tests.faults.disk import Operation

LOCKS = ("/lock", "/restart")
"""Files of the state folder that no run reads after a power cut."""


class Recording:
    """Everything that the agent changes on the disk below given folders."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path, *below: Path) -> None:
        self.operations: list[Operation] = []
        self._root = root
        self._below = tuple(f"{each}/" for each in below)
        for name in ("open", "mkdir", "rename", "unlink", "fsync"):
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        patch.setattr(durable, "open", self._open, raising=False)

    def _wrapped(self, name: str, call: Any) -> Any:
        def recorded(first: Any, *rest: Any, **options: Any) -> Any:
            made = name == "open" and rest[0] & os.O_CREAT and not os.path.lexists(first)
            result = call(first, *rest, **options)
            if name == "fsync":
                self.add("sync", _path(first))
            elif name == "rename":
                self.add("rename", first, self._relative(rest[0]))
            elif name != "open" or made:
                kinds = {"mkdir": "folder", "unlink": "remove", "open": "create"}
                self.add(kinds[name], first)
            return result

        return recorded

    def _open(self, *arguments: Any) -> _File:
        return _File(builtins.open(*arguments), self)

    def add(self, kind: str, path: Any, to: str = "", offset: int = 0, data: bytes = b"") -> None:
        """Record an operation below one of the folders, except for the text of a lock."""
        if f"{path}/".startswith(self._below) and not f"{path}".endswith(LOCKS):
            self.operations.append(Operation(kind, self._relative(path), to, offset, data))

    def _relative(self, path: Any) -> str:
        return os.path.relpath(path, self._root)


class _File:
    """An open file that records what is written into it."""

    def __init__(self, file: Any, recording: Recording) -> None:
        self._file = file
        self._recording = recording

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        path, offset = _path(self._file.fileno()), self._file.tell()
        self._recording.add("write", path, "", offset, bytes(data))
        return int(self._file.write(data))

    def truncate(self) -> int:
        self._recording.add("truncate", _path(self._file.fileno()), "", self._file.tell())
        return int(self._file.truncate())


def _path(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")

"""Model what a disk can hold after a power cut, given the operations that were in progress.

The model is a strict reading of POSIX. A write is durable once the file was synced. A name that was
created, changed or removed is durable once its folder was synced. Until then, the disk may have any
part of the writes, including half of one, and the names up to any point. Mode, owner and times are
left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Layout = dict[str, bytes | None]
"""The content of each file, by path; None: a folder."""


class Operation(NamedTuple):
    """One operation: "folder", "create", "write", "truncate", "sync", "rename", "remove"."""

    kind: str
    path: str
    to: str = ""
    offset: int = 0
    """The offset of a write, or the new size of "truncate"."""
    data: bytes = b""


@dataclass(eq=False)
class _File:
    safe: bytes = b""
    pending: list[Operation] = field(default_factory=list)


_Names = dict[str, "_File | None"]


class Disk:
    """Files and names, and which changes of them are durable."""

    def __init__(self, layout: Mapping[str, bytes | None]) -> None:
        self._safe: _Names = {
            path: None if data is None else _File(data) for path, data in layout.items()
        }
        self._names = dict(self._safe)
        self._pending: dict[str, list[Operation]] = {}
        """By folder."""
        self._made: dict[int, _File] = {}

    def do(self, operation: Operation) -> None:
        """Execute an operation."""
        kind, path = operation.kind, operation.path
        if kind in ("write", "truncate"):
            file = self._names[path]
            assert file
            file.pending.append(operation)
        elif kind == "sync":
            self._sync(path)
        else:
            self._pending.setdefault(_folder(path), []).append(operation)
            self._rename(self._names, operation)

    def _sync(self, path: str) -> None:
        file = self._names[path]
        if file:
            file.safe = _written(file.safe, file.pending)
            file.pending = []
            return
        for operation in self._pending.pop(path, []):
            self._rename(self._safe, operation)

    def _rename(self, names: _Names, operation: Operation) -> None:
        if operation.kind == "create":
            names[operation.path] = self._made.setdefault(id(operation), _File())
        elif operation.kind == "folder":
            names[operation.path] = None
        else:
            file = names.pop(operation.path)
            if operation.kind == "rename":
                names[operation.to] = file

    def after_a_power_cut(self) -> Iterator[Layout]:
        """Return every layout that the disk may have now."""
        for counts in itertools.product(*(range(len(p) + 1) for p in self._pending.values())):
            names = dict(self._safe)
            for pending, count in zip(self._pending.values(), counts, strict=True):
                for operation in pending[:count]:
                    self._rename(names, operation)
            yield from _contents(names)


def _contents(names: _Names) -> Iterator[Layout]:
    """Yield the layouts with these names, with any part of the unsynced writes of each file."""
    there = {path: file for path, file in names.items() if _is_reached(path, names)}
    files = list({file for file in there.values() if file})
    pieces = [list(_pieces(file.pending)) for file in files]
    for kept in itertools.product(*(_subsets(each) for each in pieces)):
        data = {file: _written(file.safe, ops) for file, ops in zip(files, kept, strict=True)}
        yield {path: data[file] if file else None for path, file in there.items()}


def _pieces(pending: Sequence[Operation]) -> Iterator[Operation]:
    """Cut each write in two: a disk takes blocks, not calls."""
    for each in pending:
        half = len(each.data) // 2
        if each.kind == "write" and half:
            yield each._replace(data=each.data[:half])
            yield each._replace(offset=each.offset + half, data=each.data[half:])
        else:
            yield each


def _subsets(pieces: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    for size in range(len(pieces) + 1):
        yield from itertools.combinations(pieces, size)


def _written(data: bytes, operations: Sequence[Operation]) -> bytes:
    for each in operations:
        if each.kind == "truncate":
            data = data[: each.offset].ljust(each.offset, b"\0")
        else:
            end = each.offset + len(each.data)
            data = data[: each.offset].ljust(each.offset, b"\0") + each.data + data[end:]
    return data


def _is_reached(path: str, names: _Names) -> bool:
    above = _folder(path)
    return not above or (above in names and _is_reached(above, names))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]

"""Power cuts between any two file operations, with any part of them on the disk."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import candidate, journal, transaction
from tests.agent.fake import Zulip
from tests.faults.disk import Disk, Layout, Operation
from tests.faults.matrix import ALL, RESULTS
from tests.faults.recording import Recording

OLD, NEW = "old-token-of-acme", "new-token-of-beta-which-is-longer"
Pair = tuple[bytes, bytes]
Key = tuple[tuple[str, bytes], ...]
Tried = dict[Key, str]
_RANDOM = re.compile("(?<=scimconf-)[0-9a-f]+")


class Server:
    """A small Zulip whose restart does nothing, so that thousands of recoveries take no time."""

    def __init__(self, folder: Path) -> None:
        self.zulip = Zulip(folder)
        self.folders = (self.zulip.settings.parent, self.zulip.state.parent)
        self.restart = ["/bin/true"]

    def swap(self) -> dict[str, Any]:
        """Return a change of both files: remove acme's token and add beta's."""
        request = self.zulip.apply(store="secrets", beta=NEW, acme=None)
        request["secrets"]["remove"] = ["scim_bearer_token_acme"]
        return self.light(request)

    def light(self, request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "restart": self.restart, "gate": None}

    def apply(self, request: dict[str, Any]) -> dict[str, Any]:
        return transaction.apply(request, lambda message: None, "a test")

    def recover(self) -> dict[str, Any]:
        request = {"paths": self.zulip.paths()}
        return transaction.recover(request, lambda message: None, "a test")

    def layout(self) -> Layout:
        """Return the content of the folders that a transaction writes to, and their parents."""
        found: Layout = dict.fromkeys(self._relative(each) for each in self.folders)
        for folder in (self.zulip.settings.parent, self.zulip.state):
            for path in (folder, *folder.rglob("*")):
                if path.exists() and path.name not in ("lock", "restart"):
                    found[self._relative(path)] = None if path.is_dir() else path.read_bytes()
        return found

    def lay_out(self, layout: Layout) -> None:
        """Recreate a layout on the disk."""
        shutil.rmtree(self.zulip.state, ignore_errors=True)
        for path in self.zulip.settings.parent.iterdir():
            path.unlink()
        for name in sorted(layout):
            path, data = self.zulip.root / name, layout[name]
            if data is None:
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(data)

    def litter(self) -> list[str]:
        return [name for name in self.layout() if ".scimconf-" in name]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.zulip.root).as_posix()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(candidate, "check", lambda *_: None)
    made = Server(tmp_path / "server")
    before = made.light(made.zulip.apply(store="secrets", acme=OLD))
    assert made.apply(before)["result"] == "committed"
    return made


def _first_ever(server: Server, patch: pytest.MonkeyPatch) -> str:
    shutil.rmtree(server.zulip.state)
    return "committed"


def _another(server: Server, patch: pytest.MonkeyPatch) -> str:
    return "committed"


def _back(server: Server, patch: pytest.MonkeyPatch) -> str:
    server.restart = ["/bin/sh", "-c", f"! grep -q beta '{server.zulip.settings}'"]
    return "rolled back"


def _in_place(server: Server, patch: pytest.MonkeyPatch) -> str:
    rename = os.rename

    def busy(old: str, new: str) -> None:
        if os.path.dirname(new) == str(server.zulip.settings.parent):
            raise OSError(errno.EBUSY, "busy")
        rename(old, new)

    patch.setattr(os, "rename", busy)
    return "committed"


def _in_place_back(server: Server, patch: pytest.MonkeyPatch) -> str:
    _in_place(server, patch)
    return _back(server, patch)


RUNS = (_first_ever, _another, _back, _in_place, _in_place_back)


@pytest.mark.parametrize("given", RUNS if ALL else (_first_ever, _in_place_back))
def test_power_cut(server: Server, monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    result = given(server, monkeypatch)
    old, start, request = server.zulip.pair(), server.layout(), server.swap()
    with monkeypatch.context() as patch:
        recording = Recording(patch, server.zulip.root, *server.folders)
        done = server.apply(request)
    assert done["result"] == result, done
    assert server.layout() == _replayed(start, recording.operations)
    server.restart = ["/bin/true"]
    pairs = {"old": old, "new": server.zulip.pair()}
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the record is enough
    tried: dict[Key, str] = {}
    at_the_end = set()
    for layout, is_last in _cuts(start, recording.operations):
        _try(server, layout, done["run"], pairs, tried)
        if is_last:
            at_the_end.add(tried[_key(layout)])
    assert at_the_end == {"new" if result == "committed" else "old"}
    _record(given.__name__.strip("_"), len(recording.operations), Counter(tried.values()))


def _cuts(start: Layout, operations: list[Operation]) -> Iterator[tuple[Layout, bool]]:
    disk = Disk(start)
    for number, operation in enumerate((None, *operations)):
        if operation:
            disk.do(operation)
        for layout in disk.after_a_power_cut():
            yield layout, number == len(operations)


def _replayed(start: Layout, operations: list[Operation]) -> Layout:
    """Return the layout of a disk that has done all operations, by the model."""
    disk = Disk(start)
    for operation in operations:
        disk.do(operation)
    (*_, everything) = disk.after_a_power_cut()
    return everything


def _try(server: Server, layout: Layout, run: str, pairs: dict[str, Pair], tried: Tried) -> None:
    """Recover from this layout, and from each one that a power cut can cause meanwhile."""
    ahead = [layout]
    while ahead:
        layout = ahead.pop()
        if _key(layout) in tried:
            continue
        server.lay_out(layout)
        last = journal.read(str(server.zulip.state))
        ours = last is not None and last.run == run
        committed = ours and last is not None and last.state is journal.State.COMMITTED
        interrupted = last is not None and last.state is journal.State.OPEN
        outcome = "new" if committed else "old"
        with pytest.MonkeyPatch.context() as patch:
            recording = Recording(patch, server.zulip.root, *server.folders)
            answer = server.recover()
        assert answer["result"] == ("recovered" if interrupted else "nothing"), answer
        assert server.zulip.pair() == pairs[outcome]
        assert server.litter() == []
        again = server.apply(server.swap())
        assert again["result"] == "committed", again
        tried[_key(layout)] = outcome
        ahead += [cut for cut, _ in _cuts(layout, recording.operations)]


def _key(layout: Layout) -> Key:
    """Return a key of a layout, without the random part of names."""
    return tuple(sorted((_RANDOM.sub("", name), data or b"") for name, data in layout.items()))


def _record(name: str, operations: int, found: Counter[str]) -> None:
    line = {"cut": name.replace("_", " "), "operations": operations, **found}
    print(line)
    if RESULTS:
        with open(RESULTS, "a") as file:
            file.write(json.dumps(line) + "\n")

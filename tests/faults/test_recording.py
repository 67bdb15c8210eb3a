"""The recorder sees the same operations of a run as the kernel (strace)."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scimconf.agent import candidate
from tests.faults.machine import python
from tests.faults.recording import LOCKS, Recording
from tests.faults.test_power_cuts import Server

_PROGRAM = """
import json, sys
from scimconf.agent import candidate, transaction
candidate.check = lambda *_: None
transaction.apply(json.load(sys.stdin), lambda message: None, "a test")
"""
_CALLS = {
    "openat": "create", "mkdir": "folder", "write": "write", "ftruncate": "truncate",
    "fsync": "sync", "rename": "rename", "unlink": "remove",
}  # fmt: skip
_LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += \d")
_NAME = re.compile(r'[<"](/[^">]*)[">]')
_RANDOM = re.compile(r"scimconf-[0-9a-f]+|\d+T\d+\.\d+Z")

Seen = list[tuple[str, ...]]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_strace_sees_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate, "check", lambda *_: None)
    one, other = Server(tmp_path / "one"), Server(tmp_path / "other")
    with monkeypatch.context() as patch:
        recording = Recording(patch, one.zulip.root, *one.folders)
        assert one.apply(one.swap())["result"] == "committed"
    ours = [(each.kind, each.path, each.to) for each in recording.operations]
    theirs = _traced(other, tmp_path / "trace")
    assert _told(ours) == _told(theirs)


def _traced(server: Server, log: Path) -> Seen:
    strace = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(log)]
    calls = ["-e", f"trace={','.join(_CALLS)}", "--", python(), "-B", "-c", _PROGRAM]
    request = json.dumps(server.swap()).encode()
    root = Path(__file__).parents[2]
    subprocess.run([*strace, *calls], input=request, check=True, timeout=120, cwd=root)
    assert "scim_bearer_token_beta" in server.zulip.settings.read_text()
    found: Seen = []
    for line in log.read_text().splitlines():
        call = _LINE.match(line)
        if call and not (call[1] == "openat" and "O_CREAT" not in call[2]):
            names = _NAME.findall(call[2])[-2 if call[1] == "rename" else -1 :]
            below = [Path(name) for name in names if Path(name).is_relative_to(server.zulip.root)]
            if any(each.is_relative_to(folder) for each in below for folder in server.folders):
                paths = [each.relative_to(server.zulip.root).as_posix() for each in below]
                found.append((_CALLS[call[1]], paths[0], paths[1] if paths[1:] else ""))
    return [each for each in found if not each[1].endswith(LOCKS)]


def _told(seen: Seen) -> Seen:
    """Leave out names that differ between runs, and the number of calls of one write."""
    plain = [tuple(_RANDOM.sub("*", part) for part in each) for each in seen]
    return [each for each, _ in itertools.groupby(plain)]

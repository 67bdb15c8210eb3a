"""Files that a killed run leaves behind, and how the next run removes them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scimconf import files
from scimconf.inventory import host_vars

LEFT = ".acme.txt.0123456789abcdef.new"
KILLED = """
import os, signal, sys
from pathlib import Path
from scimconf import files
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(Path(sys.argv[1]), "hunter2hunter2")
"""


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("killed", ["acme.txt", "tokens.yaml"])
def test_the_next_run_that_writes_there_removes_the_leftover(tmp_path: Path, killed: str) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / killed)]
    assert subprocess.run(words, check=False).returncode == -9
    (left,) = _names(tmp_path)
    assert "hunter2" in (tmp_path / left).read_text()
    files.write_atomically(tmp_path / "wiki.txt", "text")
    assert _names(tmp_path) == ["wiki.txt"]


def test_host_vars_are_written_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "host_vars/chat1.yaml"
    host_vars.write(path, "a: 1\n")
    assert path.stat().st_mode & 0o077, "an inventory is for others to read"
    path.chmod(0o640)
    (path.parent / LEFT).write_text("left")
    host_vars.write(path, "a: 2\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert _names(path.parent) == ["chat1.yaml"]


def test_a_file_that_another_run_is_writing_stays(tmp_path: Path) -> None:
    descriptor, beside = files.new_staged(tmp_path / "tokens.yaml", 0o600)
    files.sweep_staged(tmp_path)
    assert beside.exists()
    os.close(descriptor)
    files.sweep_staged(tmp_path)
    assert not beside.exists()


def test_a_file_that_another_run_is_about_to_rename_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.replace

    def after_a_sweep(old: Path, new: Path) -> None:
        files.sweep_staged(tmp_path)
        rename(old, new)

    monkeypatch.setattr(os, "replace", after_a_sweep)
    files.write_atomically(tmp_path / "tokens.yaml", "text")
    assert _names(tmp_path) == ["tokens.yaml"]


def test_other_files_stay(tmp_path: Path) -> None:
    kept = [
        ".acme.txt.0123456789ABCDEF.new",
        ".acme.txt.0123456789abcdef.new~",
        "acme.txt.0123456789abcdef.new",
        ".acme.txt.0123456789abcde.new",
        ".new",
    ]
    for name in kept:
        (tmp_path / name).write_text("somebody's")
    (tmp_path / ".folder.0123456789abcdef.new").mkdir()
    (tmp_path / ".link.0123456789abcdef.new").symlink_to(".new")
    os.mkfifo(tmp_path / ".pipe.0123456789abcdef.new")
    before = _names(tmp_path)
    files.sweep_staged(tmp_path)
    files.sweep_staged(tmp_path / "nosuch")
    assert _names(tmp_path) == before


def test_a_file_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LEFT).write_text("somebody's")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    files.sweep_staged(tmp_path)
    assert _names(tmp_path) == [LEFT]


def test_a_file_swept_before_its_lock_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []
    lock = fcntl.flock

    def flock(descriptor: int, kind: int) -> None:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        lock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", flock)
    descriptor, beside = files.new_staged(tmp_path / "tokens.yaml", 0o600)
    os.close(descriptor)
    assert _names(tmp_path) == [beside.name]
    assert beside not in taken

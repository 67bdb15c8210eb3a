"""Replacing files: what is kept, what a crash leaves, and what is refused."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf.agent import durable, files
from scimconf.agent.errors import AgentError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "settings.py"
    made.write_bytes(b"old")
    made.chmod(0o640)
    return made


def test_mode_and_group_are_kept_and_no_file_is_left(path: Path) -> None:
    before = path.stat()
    durable.replace(str(path), b"new")
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert os.listdir(path.parent) == [path.name]


def test_the_time_of_change_moves_on_by_a_whole_second(path: Path) -> None:
    for ahead in (-5, 0, 5):
        moment = time.time() + ahead
        os.utime(path, (moment, moment))
        durable.replace(str(path), b"new")
        assert int(path.stat().st_mtime) >= int(moment) + 1 or ahead < 0
        assert path.stat().st_mtime >= moment + (0 if ahead < 0 else 0.0)
        assert int(path.stat().st_mtime) > int(moment)


def test_a_symbolic_link_stays_one(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path.name)
    durable.replace(str(link), b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_acls_and_labels_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[str, bytes]] = []
    refused = ""

    def keep(_: int, name: str, value: bytes) -> None:
        if name == refused:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        kept.append((name, value))

    names = ["security.selinux", "system.posix_acl_access"]
    monkeypatch.setattr(os, "listxattr", lambda _: names)
    monkeypatch.setattr(os, "getxattr", lambda _, name: name.encode())
    monkeypatch.setattr(os, "setxattr", keep)
    durable.replace(str(path), b"new")
    assert kept == [(name, name.encode()) for name in names]
    refused = "security.selinux"  # only root may set it; the file system sets its own
    durable.replace(str(path), b"newer")
    assert path.read_bytes() == b"newer"
    refused = "system.posix_acl_access"
    with pytest.raises(AgentError, match="not permitted"):
        durable.replace(str(path), b"newest")
    assert path.read_bytes() == b"newer"


def test_a_bind_mount_is_written_in_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(os, "rename", busy)
    before = path.stat()
    durable.replace(str(path), b"n")
    assert path.read_bytes() == b"n"
    assert path.stat().st_ino == before.st_ino
    assert int(path.stat().st_mtime) > int(before.st_mtime)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("call", ["rename", "fsync", "fchmod"])
def test_a_failure_leaves_the_old_file_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(AgentError, match=r"settings\.py cannot be replaced: No space left"):
        durable.replace(str(path), b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


def test_unfinished_files_of_dead_runs_are_removed(path: Path) -> None:
    (path.parent / ".settings.py.scimconf-0123456789abcdef").write_text("secret")
    kept = [".settings.py.scimconf-ab", ".settings.py.swp", ".other.scimconf-0123456789abcdef"]
    for name in kept:
        (path.parent / name).write_text("somebody else's")
    durable.sweep(str(path))
    assert sorted(os.listdir(path.parent)) == sorted([*kept, path.name])


def test_only_unfinished_files_are_removed_from_the_private_folder(tmp_path: Path) -> None:
    left = ["told.scimconf-0123456789abcdef", "applied.json.scimconf-0123456789abcdef"]
    for name in [*left, "told", "applied.json"]:
        (tmp_path / name).write_text("")
    descriptor, writing = durable._new(str(tmp_path / "told"))
    durable.sweep_private(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["applied.json", "told", os.path.basename(writing)]
    os.close(descriptor)
    durable.sweep_private(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["applied.json", "told"]


def test_obstacles(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.obstacle(str(path)) is None
    assert "cannot be examined" in str(files.obstacle(str(path) + "x"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        assert f"the folder {path.parent} is not writable" in str(files.obstacle(str(path)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "getegid", lambda: 4711)
        patch.setattr(os, "getgroups", list)
        assert "belongs to the group" in str(files.obstacle(str(path)))


def test_only_regular_files_of_limited_size_are_read(path: Path, tmp_path: Path) -> None:
    with open(path, "wb") as sparse:
        sparse.truncate(files.LIMIT + 1)
    with pytest.raises(AgentError, match="larger than"):
        files.read(str(path))
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", tmp_path):
        with pytest.raises(AgentError, match="not a regular file"):
            files.read(str(odd))
    with pytest.raises(files.Missing):
        files.read(str(tmp_path / "none"))
    with pytest.raises(AgentError, match="cannot be read"):
        files.read(str(path / "below"))


def test_ten_backups_of_each_file_are_kept(tmp_path: Path) -> None:
    folder = str(tmp_path / "backups")
    for number in range(12):
        durable.back_up(folder, "/etc/zulip/settings.py", b"%d" % number)
    durable.back_up(folder, "/etc/zulip/zulip-secrets.conf", b"x")
    kept = sorted(os.listdir(folder))
    assert len(kept) == 11
    settings = [name for name in kept if name.endswith("-settings.py")]
    contents = [(tmp_path / "backups" / name).read_bytes() for name in settings]
    assert contents == [b"%d" % number for number in range(2, 12)]


def test_a_backup_is_kept_after_the_clock_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "backups")
    for number in range(durable.KEPT):
        durable.back_up(folder, "/etc/zulip/settings.py", b"%d" % number)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    durable.back_up(folder, "/etc/zulip/settings.py", b"new")
    found = {path.read_bytes() for path in Path(folder).iterdir()}
    assert found == {b"new", *(b"%d" % number for number in range(1, durable.KEPT))}


def test_the_state_folder_is_beside_the_deployments() -> None:
    assert files.state_folder("/home/zulip/deployments/current/") == "/home/zulip/.scimconf"


def test_a_private_folder_is_made_private_and_a_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(0o755)
    durable.make_private(str(folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(AgentError):
        durable.make_private(str(tmp_path / "link"))
    with pytest.raises(AgentError, match="cannot be created"):
        durable.make_private("/dev/null/state")


def test_a_failed_write_leaves_the_old_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.json"
    durable.write_private(str(path), b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(AgentError, match="cannot be written: No space"):
        durable.write_private(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("write", [durable.write_private, durable.replace])
def test_a_file_that_is_being_written_is_not_removed(
    path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[str, bytes], None]
) -> None:
    rename = os.rename

    def after_a_sweep(old: str, new: str) -> None:
        durable.sweep_private(str(path.parent))
        rename(old, new)

    monkeypatch.setattr(os, "rename", after_a_sweep)
    write(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == [path.name]

"""Merge branches of one token file with git."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest

from scimconf.errors import InventoryError
from scimconf.secret import Secret
from scimconf.tokens.entries import Record, Removed
from scimconf.tokens.generate import generate
from scimconf.tokens.rotation import activated, staged
from scimconf.tokens.store import Entry, Key, TokenFile, new_entry

PASSWORD = Secret("correct horse")
REALMS = ("acme", "beta", "delta", "echo")
Git = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A function that runs git in a new repository, without a user's configuration."""
    program = shutil.which("git")
    assert program, "these tests need git"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER")
           for what in ("NAME", "EMAIL")},
    }  # fmt: skip

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done
        return done

    run("init", "-q", "-b", "main")
    return run


@pytest.fixture
def path(tmp_path: Path, git: Git) -> Path:
    """A token file on the branch main, with a comment that a person added."""
    path = tmp_path / "tokens.yaml"
    TokenFile.load(path).save({("chat1", realm): _entry(realm) for realm in REALMS})
    path.write_text(path.read_text().replace('    "beta":', '    # of the audit\n    "beta":'))
    git("add", "tokens.yaml")
    git("commit", "-qm", "tokens")
    return path


def _entry(realm: str, deployment: str = "chat1") -> Entry:
    return new_entry((deployment, realm), generate(), PASSWORD)


def _on_a_branch(git: Git, path: Path, name: str, records: Mapping[Key, Record]) -> None:
    git("checkout", "-q", "-b", name, "main")
    TokenFile.load(path).save(records)
    git("commit", "-qam", name)


def _rotated(path: Path, realm: str) -> Entry:
    entry = TokenFile.load(path).entry("chat1", realm)
    assert entry
    now = datetime.now(timezone.utc)
    return activated(staged(entry, _entry(realm), now), now)


def test_two_branches_with_different_realms_merge(git: Git, path: Path) -> None:
    """Each branch rotates, removes or adds other realms, and adds a deployment."""
    ours: dict[Key, Record] = {
        ("chat1", "acme"): _rotated(path, "acme"),
        ("chat1", "delta"): Removed("2026-06-01T10:00:00Z"),
        ("chat1", "alpha"): _entry("alpha"),
        ("chat0", ""): _entry("", "chat0"),
    }
    theirs: dict[Key, Record] = {
        ("chat1", "beta"): _rotated(path, "beta"),
        ("chat1", "echo"): _rotated(path, "echo"),
        ("chat1", "bravo"): _entry("bravo"),
        ("chat2", ""): _entry("", "chat2"),
    }
    before = TokenFile.load(path).records
    _on_a_branch(git, path, "ours", ours)
    _on_a_branch(git, path, "theirs", theirs)
    git("merge", "-q", "ours", "-m", "merged")
    merged = TokenFile.load(path)
    assert merged.records == {**before, **ours, **theirs}
    assert list(merged.records) == sorted(merged.records), "one realm, one place"
    assert path.read_text().count("# of the audit") == 1


def test_the_order_of_additions_does_not_change_the_file(git: Git, path: Path) -> None:
    records: dict[Key, Record] = {
        ("chat1", realm): _entry(realm) for realm in ("coco", "a", "zulu")
    }
    _on_a_branch(git, path, "at-once", records)
    git("checkout", "-q", "-b", "one-by-one", "main")
    for key, record in sorted(records.items(), reverse=True):
        TokenFile.load(path).save({key: record})
    git("commit", "-qam", "one by one")
    assert git("diff", "at-once").stdout == ""


def test_a_file_with_a_merge_conflict_is_never_overwritten(git: Git, path: Path) -> None:
    new: dict[str, Record] = {"coco": _entry("coco"), "cuba": _entry("cuba")}
    for realm, record in new.items():
        _on_a_branch(git, path, realm, {("chat1", realm): record})
    before = TokenFile.load(path)
    git("merge", "-q", "coco", code=1)
    conflicted = path.read_bytes()
    for use in (lambda: TokenFile.load(path), lambda: before.save({("chat1", "x"): _entry("x")})):
        with pytest.raises(InventoryError, match="merge conflict"):
            use()
    assert path.read_bytes() == conflicted

    # docs/tokens.md says: keep both sides of the conflict, each as a whole.
    git("checkout", "-q", "--conflict=diff3", "tokens.yaml")
    lines = path.read_text().splitlines(keepends=True)
    marks = ("<<<<<<< ", "||||||| ", "=======", ">>>>>>> ")
    assert [line[:7].strip() for line in lines if line.startswith(marks)] == [
        mark.strip() for mark in marks
    ], "one conflict, with nothing in the middle"
    path.write_text("".join(line for line in lines if not line.startswith(marks)))
    after = TokenFile.load(path)
    assert {realm: after.records["chat1", realm] for realm in new} == new

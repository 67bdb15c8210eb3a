"""A file that git tracks may come from somebody else's branch. The oracle is git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scimconf import git_index

NAME = ".idp-hosts"


def _git(folder: Path, *arguments: str) -> None:
    own = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *own, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "fleet").mkdir(parents=True)
    _git(folder, "init")
    (folder / "fleet" / "hosts.yml").touch()
    (folder / ".gitignore").write_text(f"{NAME}\n")
    (folder / "fleet" / NAME).touch(0o600)
    _git(folder, "add", ".")
    return folder


def test_without_git(tmp_path: Path) -> None:
    assert not git_index.has(tmp_path / NAME)


def test_an_ignored_file(checkout: Path) -> None:
    assert not git_index.has(checkout / "fleet" / NAME)


@pytest.mark.parametrize("name", [NAME, NAME.upper()])
@pytest.mark.parametrize(
    "how", [(), ("--index-version", "4"), ("--split-index",)], ids=["plain", "compressed", "split"]
)
def test_a_tracked_file(checkout: Path, name: str, how: tuple[str, ...]) -> None:
    (checkout / "fleet" / name).touch()
    _git(checkout, "add", "--force", f"fleet/{name}")
    _git(checkout, "commit", "-m", "a")
    if how:
        _git(checkout, "update-index", *how)
    assert git_index.has(checkout / "fleet" / NAME)


def test_a_worktree(checkout: Path) -> None:
    _git(checkout, "add", "--force", f"fleet/{NAME}")
    _git(checkout, "commit", "-m", "a")
    _git(checkout, "worktree", "add", "../other")
    assert git_index.has(checkout.parent / "other" / "fleet" / NAME)
    (checkout / ".git" / "index").unlink()
    assert not git_index.has(checkout / "fleet" / NAME)


def test_what_cannot_be_understood_counts_as_tracked(checkout: Path) -> None:
    (checkout / ".git" / "index").write_bytes(b"?")
    assert git_index.has(checkout / "fleet" / NAME)
    (checkout / "fleet" / ".git").write_text("?")
    assert git_index.has(checkout / "fleet" / NAME)

"""`scimconf inventory leaks`, as pre-commit calls it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

TOKEN = "q7ZkW2mB9xTfR4vYc1LsD8hNpJ3gKaEu5oQiXwMtVbr"


def test_good_files(scimconf: Run) -> None:
    done = scimconf("inventory", "leaks", "inventory.yaml", "password")
    assert (done.returncode, done.stdout) == (0, "ok: no token in clear text in 2 files\n")


def test_every_leak_is_reported_without_the_token(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text(f"[secrets]\nscim_bearer_token = {TOKEN}\n")
    (tmp_path / "b.yaml").write_text(f"scim_realms: {{acme: {{token: {TOKEN}}}}}\n")
    done = scimconf("inventory", "leaks", "a.conf", "inventory.yaml", "b.yaml")
    assert (done.returncode, done.stdout) == (64, "")
    assert "a.conf:2:21: error: this bearer token" in done.stderr
    assert "b.yaml:1:29: error: the token of this realm" in done.stderr
    assert TOKEN not in done.stderr


def test_an_unreadable_file_is_an_error(scimconf: Run) -> None:
    done = scimconf("inventory", "leaks", "nowhere.yaml")
    assert done.returncode == 64
    assert "cannot read nowhere.yaml" in done.stderr

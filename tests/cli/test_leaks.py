"""`scimconf inventory leaks`, as pre-commit calls it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

TOKEN = "q7ZkW2mB9xTfR4vYc1LsD8hNpJ3gKaEu5oQiXwMtVbr"


def test_good_files(scimconf: Run) -> None:
    done = scimconf("inventory", "leaks", "inventory.yaml", "password")
    assert (done.returncode, done.stdout) == (0, "ok: no token in clear in 2 files\n")


def test_every_place_of_every_file_and_no_token(scimconf: Run, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text(f"[secrets]\nscim_bearer_token = {TOKEN}\n")
    (tmp_path / "b.yaml").write_text(f"scim_realms: {{acme: {{token: {TOKEN}}}}}\n")
    done = scimconf("inventory", "leaks", "a.conf", "inventory.yaml", "b.yaml")
    assert (done.returncode, done.stdout) == (64, "")
    assert "a.conf:2:21: error: this bearer token is in plain text" in done.stderr
    assert "b.yaml:1:29: error: the token of this realm is in plain text" in done.stderr
    assert TOKEN not in done.stderr


def test_a_file_that_cannot_be_read_is_not_let_through(scimconf: Run) -> None:
    done = scimconf("inventory", "leaks", "nowhere.yaml")
    assert done.returncode == 64
    assert "cannot read nowhere.yaml" in done.stderr

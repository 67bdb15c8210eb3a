"""What the server remembers of the SCIM clients that scimconf has registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimconf.agent import files, registered


@pytest.fixture
def folder(tmp_path: Path) -> str:
    files.make_private(str(tmp_path / "state"))
    return str(tmp_path / "state")


def test_clients_come_and_go(folder: str) -> None:
    registered.note(folder, [])
    assert not Path(folder, "registered.json").exists()
    registered.note(folder, [("acme", "okta")])
    registered.note(folder, [("", "entra"), ("acme", "okta")])
    assert registered.read(folder) == {("acme", "okta"), ("", "entra")}
    registered.forget(folder, [("acme", "okta"), ("wiki", "okta")])
    assert registered.read(folder) == {("", "entra")}
    assert Path(folder, "registered.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", "3", '[["acme"]]', "[3]", "\x00"])
def test_a_broken_file_is_no_obstacle_and_makes_nothing_ours(folder: str, text: str) -> None:
    Path(folder, "registered.json").write_text(text)
    assert registered.read(folder) == set()
    registered.note(folder, [("acme", "okta")])
    assert registered.read(folder) == {("acme", "okta")}

"""The server's record of the SCIM clients that scimconf has registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimconf.agent import durable, own_clients


@pytest.fixture
def folder(tmp_path: Path) -> str:
    durable.make_private(str(tmp_path / "state"))
    return str(tmp_path / "state")


def test_clients_are_added_and_removed(folder: str) -> None:
    own_clients.add(folder, [])
    assert not Path(folder, "registered.json").exists()
    own_clients.add(folder, [("acme", "okta")])
    own_clients.add(folder, [("", "entra"), ("acme", "okta")])
    assert own_clients.read(folder) == {("acme", "okta"), ("", "entra")}
    own_clients.remove(folder, [("acme", "okta"), ("wiki", "okta")])
    assert own_clients.read(folder) == {("", "entra")}
    assert Path(folder, "registered.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", "3", '[["acme"]]', "[3]", "\x00"])
def test_a_broken_file_counts_as_empty(folder: str, text: str) -> None:
    Path(folder, "registered.json").write_text(text)
    assert own_clients.read(folder) == set()
    own_clients.add(folder, [("acme", "okta")])
    assert own_clients.read(folder) == {("acme", "okta")}

"""Inventories written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from scimconf import inventory
from scimconf.errors import ExitCode, InventoryError
from scimconf.inventory import Inventory
from scimconf.model import Server

Write = Callable[..., Path]
Load = Callable[..., Inventory]
One = Callable[..., Server]
Refused = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file into an empty folder, which is also the working folder."""
    monkeypatch.chdir(tmp_path)

    def _write(text: str, name: str = "hosts.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return Path(name)

    return _write


@pytest.fixture
def load(write: Write) -> Load:
    """Load an inventory of one file, given as text."""

    def _load(text: str, **options: object) -> Inventory:
        return inventory.load([write(text)], options)

    return _load


@pytest.fixture
def one(load: Load) -> One:
    """Load an inventory of one host, `chat.example.com`, and give its server.

    `variables` are lines of YAML; without `scim_realms` among them there is one realm, acme.
    """

    def _one(variables: str = "", **options: object) -> Server:
        return load(of_one_host(variables), **options).servers["chat.example.com"]

    return _one


@pytest.fixture
def refused(write: Write) -> Refused:
    """Load what cannot be loaded, and give each problem as text without the file's name."""

    def _refused(text: str, *more: Path) -> list[str]:
        with pytest.raises(InventoryError) as caught:
            inventory.load([write(text), *more])
        assert caught.value.exit_code is ExitCode.USAGE
        return [str(problem).replace("hosts.yaml:", "") for problem in caught.value.problems]

    return _refused


@pytest.fixture
def wrong(refused: Refused) -> Callable[[str], str]:
    """Give the only problem of an inventory of one host, after its place and path."""

    def _wrong(variables: str) -> str:
        (problem,) = refused(of_one_host(variables))
        return problem.partition("all.hosts.chat.example.com.")[2]

    return _wrong


def of_one_host(variables: str) -> str:
    """Give an inventory of one host with these variables."""
    lines = dedent(variables).splitlines()
    if not any(line.startswith("scim_realms") for line in lines):
        lines.append("scim_realms: {acme: {}}")
    return "all:\n  hosts:\n    chat.example.com:\n" + "".join(f"      {line}\n" for line in lines)

"""Inventories that a test writes, and the problems found in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from scimconf import inventory
from scimconf.errors import ExitCode, InventoryError
from scimconf.inventory import Inventory
from scimconf.model import Problem, Server

Write = Callable[..., Path]
Load = Callable[..., Inventory]
One = Callable[..., Server]
Refused = Callable[..., list[str]]


def short(problem: Problem) -> str:
    """Return a problem on one line without its severity: `place: path: message (hint)`."""
    line, _, hint = problem.text("error").partition("\n  -> ")
    return line.replace("error: ", "", 1) + (f" ({hint})" if hint else "")


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
    """Load an inventory of one host, `chat.example.com`, and return its server.

    `variables` are lines of YAML. Without `scim_realms`, the host gets one realm, acme.
    """

    def _one(variables: str = "", **options: object) -> Server:
        return load(of_one_host(variables), **options).servers["chat.example.com"]

    return _one


@pytest.fixture
def refused(write: Write) -> Refused:
    """Load a wrong inventory and return each problem on one line, without the file name."""

    def _refused(text: str, *more: Path) -> list[str]:
        with pytest.raises(InventoryError) as caught:
            inventory.load([write(text), *more])
        assert caught.value.exit_code is ExitCode.USAGE
        return [short(problem).replace("hosts.yaml:", "") for problem in caught.value.problems]

    return _refused


@pytest.fixture
def wrong(refused: Refused) -> Callable[[str], str]:
    """Return the only problem of an inventory of one host, without its position and path."""

    def _wrong(variables: str) -> str:
        (problem,) = refused(of_one_host(variables))
        return problem.partition("all.hosts.chat.example.com.")[2]

    return _wrong


def of_one_host(variables: str) -> str:
    """Return an inventory of one host with these variables."""
    lines = dedent(variables).splitlines()
    if not any(line.startswith("scim_realms") for line in lines):
        lines.append("scim_realms: {acme: {}}")
    return "all:\n  hosts:\n    chat.example.com:\n" + "".join(f"      {line}\n" for line in lines)

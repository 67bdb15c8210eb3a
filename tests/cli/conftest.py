from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scimconf.cli import run
from tests.lab import Lab, Server
from tests.lab.operator import Operator

INVENTORY = """\
all:
  vars: {scim_idp: okta}
  hosts:
    chat1.example.com:
      ansible_host: 127.0.0.1
      ansible_port: 1
      scim_realms: {acme: {}}
    chat2.example.com:
      scim_token_store: secrets
      scim_realms:
        "": {idp: entra, custom_profile_field_map: {phoneNumber: phone}}
        old: {state: absent}
"""


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def log() -> Iterator[None]:
    """Restore the loggers after the test: a run redirects them to its stderr."""
    loggers = [logging.getLogger(name) for name in ("scimconf", "paramiko")]
    before = [(each, list(each.handlers), each.level) for each in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture
def scimconf(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: None,
) -> Run:
    """Run scimconf in this process, in a folder with an inventory and a password file."""
    for name in os.environ:
        if name.startswith(("SCIMCONF_", "ANSIBLE_")) or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "password").chmod(0o600)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return call


@pytest.fixture
def empty(scimconf: Run, tmp_path: Path) -> Run:
    """The same as `scimconf`, but in an empty folder."""
    for path in tmp_path.iterdir():
        path.unlink()
    return scimconf


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


@pytest.fixture
def one(lab_server: Callable[..., Server], operator: Operator) -> Callable[..., Server]:
    """A function that starts a server and writes an inventory with only this server."""

    def start(variables: dict[str, Any], **options: Any) -> Server:
        server = lab_server(**options)
        operator.write_inventory({server.name: variables})
        return server

    return start


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Answer every question with "typed". Collect the questions, and whether they ask twice."""
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, confirmation_prompt: str | bool = False, **_: object) -> str:
        asked.append((text, bool(confirmation_prompt)))
        return "typed"

    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    return asked

"""Run the commands of docs/how-to/lost-tokens.md on the lab, section by section."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Server
from tests.lab.operator import Operator

pytestmark = pytest.mark.needs_sshd

PAGE = Path(__file__).parents[2] / "docs/how-to/lost-tokens.md"
SECTIONS = {
    title: block.splitlines()
    for title, block in re.findall(r"^## (.*?)\n.*?^```\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
}
LOST, CLOSED, LEAKED = SECTIONS


@pytest.fixture
def server(operator: Operator, lab_server: Callable[..., Server]) -> Server:
    server = lab_server(version="9.0", realms=["acme"])
    operator.write_inventory({server.name: {"scim_realms": {"acme": {}}}})
    assert operator.apply().returncode == 0
    return server


def _run(operator: Operator, lines: list[str]) -> list[int]:
    """Run lines as a shell would, and return their exit codes."""
    codes = []
    for line in lines:
        words = line.replace("scimconf ", f'"{sys.executable}" -m scimconf ')
        done = subprocess.run(
            ["/bin/sh", "-c", words],
            cwd=operator.folder,
            env=operator.lab.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        codes.append(done.returncode)
    return codes


def _lets_in(server: Server, token: str) -> bool:
    return server.request("GET", "/scim/v2/Users?count=1", "acme", token)[0] == 200


def test_the_commands_for_a_lost_token_file(operator: Operator, server: Server) -> None:
    token = operator.token(server.name, "acme")
    operator.tokens.unlink()
    assert _run(operator, SECTIONS[LOST]) == [2, 0, 0]
    assert operator.token(server.name, "acme") == token


def test_the_commands_for_a_lost_vault_password(operator: Operator, server: Server) -> None:
    token = operator.token(server.name, "acme")
    password = operator.folder / ".vault-password"
    password.unlink()
    assert _run(operator, SECTIONS[CLOSED]) == [0, 0, 0, 0, 0, 0]
    assert operator.token(server.name, "acme") == token
    assert not (operator.folder / "tokens.old.yaml").exists()


def test_the_commands_for_a_leaked_vault_password(operator: Operator, server: Server) -> None:
    token = operator.token(server.name, "acme")
    assert _run(operator, SECTIONS[LEAKED]) == [0, 0, 0, 0]
    assert not _lets_in(server, token)
    assert ";2026-11\n" in operator.tokens.read_text()
    (operator.folder / ".vault-password").write_text(
        (operator.folder / "password-2026-11").read_text()
    )
    new = operator.token(server.name, "acme")
    assert _lets_in(server, new)
    assert new in (operator.folder / "sheets.txt").read_text()

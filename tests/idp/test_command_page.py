"""The programs that docs/idp/command.md shows do what the contract on that page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scimconf.idp.base import NotSupportedError
from scimconf.idp.command import NOT_SUPPORTED, Command
from scimconf.model import Deliver
from scimconf.secret import Secret
from tests.idp.conftest import TARGET

PAGE = (Path(__file__).parents[2] / "docs/idp/command.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
TOKEN = Secret("a-new-token-of-acme-with-43-characters")
STUBS = {
    "terraform": 'echo "$@" > called; echo "$TF_VAR_scim_url $TF_VAR_scim_token" > variables',
    "ticket": 'echo "$1" > called; echo "filed OPS-1"',
}


def _example(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name, text in {"example": EXAMPLES[number], **STUBS}.items():
        program = tmp_path / name
        program.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Command(Deliver("command", {"words": ("./example",)}, str(tmp_path)), TARGET)


def test_terraform_gets_the_token_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = _example(0, tmp_path, monkeypatch)
    assert command.set(TOKEN) == "Terraform has set the token"
    assert (tmp_path / "variables").read_text().split() == [TARGET.base_url, TOKEN.reveal()]
    assert TOKEN.reveal() not in (tmp_path / "called").read_text(), "others can see arguments"
    with pytest.raises(NotSupportedError):
        command.pause()


def test_a_ticket_has_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _example(1, tmp_path, monkeypatch)
    assert command.set(TOKEN) == "filed OPS-1"
    assert (tmp_path / "called").read_text() == "SCIM: new token for realm acme of chat1\n"


def test_the_page_shows_the_message_and_the_status_of_the_contract() -> None:
    (line,) = re.findall(r"```json\n(.*)\n```", PAGE)
    assert set(json.loads(line)) == {
        *("version", "event", "deployment", "realm", "scim_url", "token"),
    }
    assert f"| {NOT_SUPPORTED} |" in PAGE

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

PASSWORD = ("--vault-password-file", "password")


def test_masked_for_every_present_realm(scimconf: Run) -> None:
    done = scimconf("handoff")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^.* -> (https://\S+)", done.stdout, re.M) == [
        "https://acme.chat1.example.com",
        "https://chat2.example.com",
    ]
    assert done.stdout.count("<token ") == 2


def test_only_the_selected_realms(scimconf: Run) -> None:
    assert scimconf("handoff", "--realm", "acme").stdout.count("When it is done") == 1
    assert "realm (root) of chat2" in scimconf("handoff", "--realm", "").stdout
    assert scimconf("handoff", "--realm", "old").returncode == 64


def test_existing_tokens_are_shown(scimconf: Run) -> None:
    assert "<token acme>" in scimconf("handoff", "--show-tokens").stdout
    made = scimconf("render", "chat1*", "--create-tokens", "--show-tokens", *PASSWORD).stdout
    (token,) = re.findall(r"\b\w{43}\b", made)
    refused = scimconf("handoff", "--show-tokens")
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "--vault-password-file FILE" in refused.stderr
    assert f"Bearer {token}\n" in scimconf("handoff", "chat1*", "--show-tokens", *PASSWORD).stdout


def test_the_forms(scimconf: Run) -> None:
    markdown = scimconf("handoff", "--format", "markdown").stdout
    assert markdown.startswith("# Okta for `https://acme.chat1.example.com`\n")
    page = scimconf("handoff", "--format", "html").stdout
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<article") == markdown.count("## In ") == 2


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_file_is_readable_only_by_its_owner(form: str, scimconf: Run, tmp_path: Path) -> None:
    printed = scimconf("handoff", "--format", form).stdout
    file = tmp_path / "sheets"
    file.touch(0o644)
    done = scimconf("handoff", "--format", form, "--out", "sheets")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "wrote sheets: 2 sheets\n"
    assert file.read_text().rstrip() == printed.rstrip()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written(scimconf: Run) -> None:
    done = scimconf("handoff", "--out", "nowhere/sheets")
    assert done.returncode == 64
    assert "cannot write nowhere/sheets" in done.stderr


def test_the_format_variable_does_not_apply_to_sheets(
    scimconf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIMCONF_FORMAT", "json")
    assert "When it is done" in scimconf("handoff").stdout

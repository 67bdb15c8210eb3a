"""A misspelt environment variable is an error that names the right one. Others are ignored."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from scimconf.cli import scimconf as program
from scimconf.cli.variables import OF_OPTIONS
from tests.cli.conftest import Run

VAULT = ("--vault-password-file", "password")


@pytest.mark.parametrize(
    ("arguments", "wrong", "right"),
    [
        (("plan",), "SCIMCONF_LIMT", "SCIMCONF_LIMIT"),
        (("inventory", "list"), "SCIMCONF_VAULT_PASWORD", "SCIMCONF_VAULT_PASSWORD"),
        (("token",), "SCIMCONF_CONUT", "SCIMCONF_COUNT"),
        (("inventory", "schema"), "SCIMCONF_MAXFAIL", "SCIMCONF_MAX_FAIL"),
        (("init", "--host", "chat.example.com"), "SCIMCONF_FORK", "SCIMCONF_FORKS"),
        (("handoff",), "SCIMCONF_REALMS", "SCIMCONF_REALM"),
    ],
)
def test_a_misspelt_variable_is_an_error(
    arguments: tuple[str, ...],
    wrong: str,
    right: str,
    scimconf: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if arguments[0] == "init":
        (tmp_path / "inventory.yaml").unlink()
    before = {*tmp_path.iterdir()}
    monkeypatch.setenv(wrong, "hunter2")
    done = scimconf(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    error, hint = done.stderr.splitlines()
    assert wrong in error
    assert f" {right}, " in hint
    assert "hunter2" not in done.stderr
    assert {*tmp_path.iterdir()} == before


def test_a_misspelt_inventory_variable_is_named_in_the_error(
    empty: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIMCONF_INVENTROY", "hosts.yaml")
    done = empty("plan")
    assert done.returncode == 64
    assert "SCIMCONF_INVENTORY" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "SCIMCONF_MATRIX",
        "SCIMCONF_FAULTS",
        "SCIMCONF_NO_SKIPS",
        "SCIMCONF_IDP_USER",
        "SCIMCONF_BEARER_FORMAT",
        "SCIMCONF_FOLDER_OF_OURS",
        "scim_bearer_token_limit",
        "scimconf_limt",
    ],
)
def test_other_variables_are_ignored(
    name: str, scimconf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    for arguments in (("inventory", "check"), ("token",)):
        done = scimconf(*arguments)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_variable_with_a_token_of_the_inventory_is_ignored(
    empty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "all: {hosts: {chat.example.com: {scim_idp: okta, scim_realms: "
        "{acme: {token: 'env:SCIMCONF_TOKEN'}}}}}\n"
    )
    monkeypatch.setenv("SCIMCONF_TOKEN", "x" * 43)
    done = empty("inventory", "check")
    assert (done.returncode, done.stderr) == (0, "")


def test_init_reads_no_variables(
    empty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIMCONF_REALM", "acme")
    monkeypatch.setenv("SCIMCONF_USER", "reader")
    assert empty("init", "--host", "chat.example.com").returncode == 0
    text = (tmp_path / "inventory.yaml").read_text()
    assert "acme" not in text
    assert "reader" not in text


def test_help_works_with_misspelt_variables(scimconf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIMCONF_LIMT", "x")
    assert scimconf("plan", "--help").returncode == 0
    assert "SCIMCONF_LIMT" in os.environ


def _declared(command: click.Command) -> set[str]:
    """Return the variables of all options of a command and of its subcommands."""
    found = {each.envvar for each in command.params if isinstance(each.envvar, str)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if inner := command.get_command(context, name):
                found |= _declared(inner)
    return found


def test_the_table_has_the_variables_of_all_options() -> None:
    assert _declared(program) == OF_OPTIONS

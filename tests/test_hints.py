"""Every variable, option, verb and file that a message names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from scimconf import cli
from scimconf.inventory.connection import SPELLINGS
from scimconf.inventory.schema import OURS, REPLACED, RealmVariables
from scimconf.template.sandbox import ALWAYS_IN_ANSIBLE, ONLY_ANSIBLE

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "scimconf").rglob("*.py"))

VARIABLE = re.compile(r"(?<![\w.])(?:scim|zulip|ansible)_[a-z0-9_]+(?![\w.])")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
FILE = re.compile(r"(?<![\w./-])(?:docs|templates)/[\w./-]*[\w/]|\b[\w.-]+\.example\.yaml")
COMMAND = re.compile(r"`scimconf ([a-z]+)([^`]*)`|: scimconf ([a-z]+)")
NAMED = re.compile(r"\b[Ss]et `?([a-z_]+)`?(?: (?:of|in) the inventory| to |: )")

KNOWN = {
    *OURS,
    *REPLACED,
    *(name for names in SPELLINGS.values() for name in names),
    *ONLY_ANSIBLE,
    *ALWAYS_IN_ANSIBLE,
    *("ansible_group_priority", "ansible_su_", "ansible_sudo_"),
}
OF_ZULIP = {"scim_bearer_token", "scim_bearer_token_", "scim_client_name", "zulip__"}
OF_JSON = {"zulip_version", "scim_url"}
OF_IDPS = {"scim_users"}
OF_OTHERS = {
    "--cached": "git rm",
    "--list": "ansible-inventory",
    "--yaml": "ansible-inventory",
    "--only-django": "Zulip's restart-server",
    "--skip-client-reloads": "Zulip's restart-server",
    "--resources": "dask worker",
    **dict.fromkeys(("--set-home", "--stdin", "--non-interactive", "--reset-timestamp"), "sudo"),
    **dict.fromkeys(("--preserve-env", "--prompt", "--chdir"), "sudo"),
    **dict.fromkeys(("--login", "--shell"), "sudo and su"),
    **dict.fromkeys(("--preserve-environment", "--pty"), "su"),
}


def _texts(module: Path) -> Iterator[str]:
    """Yield every string of a module except docstrings. A value in an f-string becomes `…`."""
    tree = ast.parse(module.read_text())
    passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def _commands() -> dict[str, set[str]]:
    """Return the options of every verb, including those of its subcommands."""

    def options(command: click.Command) -> set[str]:
        found = {
            name
            for option in command.params
            if isinstance(option, click.Option)
            for name in (*option.opts, *option.secondary_opts)
        }
        own = command.commands.values() if isinstance(command, click.Group) else ()
        return found.union({"--help"}, *(options(each) for each in own))

    context = click.Context(cli.scimconf)
    found = {verb: cli.scimconf.get_command(context, verb) for verb in cli.VERBS}
    return {verb: options(command) for verb, command in found.items() if command}


def _wrong(text: str) -> Iterator[str]:
    commands = _commands()
    everywhere = set().union(*commands.values(), OF_OTHERS)
    for name in VARIABLE.findall(text):
        if name not in KNOWN | OF_ZULIP | OF_JSON | OF_IDPS:
            yield f"no variable {name}"
    for name in OPTION.findall(text):
        if name not in everywhere:
            yield f"no option {name}"
    for name in FILE.findall(text):
        if not (ROOT / name).exists():
            yield f"no file {name}"
    for name in NAMED.findall(text):
        if name not in {*KNOWN, *RealmVariables.model_fields}:
            yield f"nothing in an inventory is called {name}"
    for quoted, rest, after in COMMAND.findall(text):
        verb = quoted or after
        if verb not in commands:
            yield f"no verb {verb}"
        else:
            wrong = set(OPTION.findall(rest)) - commands[verb]
            yield from (f"scimconf {verb} has no {name}" for name in sorted(wrong))


def test_every_name_in_a_message_exists() -> None:
    found = [
        f"{module.relative_to(ROOT)}: {wrong}: {text!r}"
        for module in MODULES
        for text in _texts(module)
        for wrong in _wrong(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "set `ca` in the inventory",
        "set scim_cafile to the file",
        "say --create-token",
        "see docs/tls.md",
        "`scimconf verfy chat1`",
        "see: scimconf verfy",
        "`scimconf plan --yes`",
        "look at inventory.sample.example.yaml",
    ],
)
def test_a_wrong_name_is_found(text: str) -> None:
    assert list(_wrong(text))


FOR_SERVERS = re.compile(
    r"scimconf (plan|apply|rotate|verify|undo|recover|import|handoff)\b(?! --help)"
)
ON_ITS_OWN = {
    "cli/init.py": "the first commands after init, with the options of its files",
    "inventory/hosts.py": "a pipe from ansible-inventory",
    "run/import_.py": "the comment in a file of host_vars",
}
"""Modules that may write a command of a verb for servers by hand, each with the reason."""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_hint_loses_the_words_of_the_command(module: Path) -> None:
    """A bare `scimconf rotate` concerns all servers. plan.commands and run.hint_words build
    commands for the right ones; a hint without servers names only what to add."""
    found = [
        text
        for text in _texts(module)
        if re.search(
            r"scimconf (plan|apply|rotate|verify|undo|recover|import|handoff)\b(?! --help)", text
        )
    ]
    assert bool(found) == (module.relative_to(ROOT / "scimconf").as_posix() in ON_ITS_OWN), found

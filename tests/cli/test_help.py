"""What --help promises, and what the documentation tells people to type."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scimconf.cli import VERBS, scimconf
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "inventory.example.yaml",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "templates").rglob("*.j2")),
)
HEAVY = ("paramiko", "pydantic", "rich", "jinja2", "ruamel", "cryptography")
WITHOUT_VARIABLE = {"--yes", "--show-tokens", "--help", "--version"}
WITHOUT_VARIABLE |= {"--stage", "--activate", "--back", "--next"}
"""A variable that is set somewhere must not agree to a change, print tokens, or choose which."""
OF_ITS_OWN = {"handoff --format", "handoff --out"}
"""These mean something else than SCIMCONF_FORMAT and SCIMCONF_OUT mean to a pipeline's verbs."""


def _program() -> click.Context:
    """Give the context that every verb stands in."""
    return click.Context(scimconf, info_name="scimconf", **scimconf.context_settings)


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = _program()
    for verb in VERBS:
        command = scimconf.get_command(context, verb)
        assert command
        yield verb, command
        if isinstance(command, click.Group):
            yield from ((f"{verb} {name}", each) for name, each in command.commands.items())


COMMANDS = dict(_commands())


def _typed(page: Path) -> Iterator[str]:
    """Give the command lines that a page shows: in a code block, or between backticks."""
    text = page.read_text()
    for found in re.finditer(
        r"^[ #$]*(scimconf .*)$|`(scimconf [^`]+)`|: (scimconf .*)$", text, re.M
    ):
        line = next(filter(None, found.groups()))
        yield re.split(r" {2,}|\s#| with | > ", line.replace("\n", " "))[0]


LINES = sorted(
    {
        (page.name, line)
        for page in PAGES
        for line in _typed(page)
        if set(line.split()[1:2]) & set(VERBS)  # a row of figures may begin with the bare name
    }
)


def test_the_pages_show_command_lines() -> None:
    assert len(LINES) > 10
    assert {page for page, _ in LINES} >= {"README.md", "applying.md", "exit-codes.md"}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_what_the_pages_tell_to_type_is_understood(page: str, line: str) -> None:
    words = re.sub(r"\[PATTERN\]|\{\{ *sheet\.server *\}\}", "chat1", line)
    _, verb, *arguments = shlex.split(words)
    command = COMMANDS[verb]
    if isinstance(command, click.Group) and arguments:
        command = COMMANDS[f"{verb} {arguments.pop(0)}"]
    command.make_context(verb, arguments, parent=_program())


def test_the_readme_lists_the_verbs_that_there_are() -> None:
    listed = re.findall(r"^\| `(\w+)(?: [^`]*)?` \|", (ROOT / "README.md").read_text(), re.M)
    assert listed == list(VERBS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_its_variable_and_help_names_it(name: str) -> None:
    command = COMMANDS[name]
    said = " ".join(command.get_help(click.Context(command, _program(), name)).split())
    for parameter in command.params:
        if not isinstance(parameter, click.Option):
            continue
        names = {*parameter.opts, *(f"{name} {each}" for each in parameter.opts)}
        if names & (WITHOUT_VARIABLE | OF_ITS_OWN):
            assert parameter.envvar is None
            continue
        long = next(each for each in parameter.opts if each.startswith("--"))
        variable = str(parameter.envvar)
        assert variable == f"SCIMCONF_{long[2:].replace('-', '_').upper()}"
        assert variable in said, f"{long}: --help does not name {variable}"
        assert parameter.help


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, scimconf: Run) -> None:
    done = scimconf(*name.split(), "-h")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == scimconf(*name.split(), "--help").stdout
    assert "..." not in done.stdout.splitlines()[2]
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_the_list_of_verbs_says_each_in_one_whole_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    said = scimconf.get_help(_program())
    listed = said.partition("Commands:\n")[2].splitlines()[: len(VERBS)]
    assert [line.split()[0] for line in listed] == list(VERBS)
    assert all(line.endswith((".", ")")) and not line.endswith("...") for line in listed)


@pytest.mark.parametrize("arguments", [(), ("inventory",)])
def test_alone_it_says_how_it_is_used(arguments: tuple[str, ...], scimconf: Run) -> None:
    done = scimconf(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"Usage: {' '.join(('scimconf', *arguments))} ")


def test_version(scimconf: Run) -> None:
    done = scimconf("--version")
    assert re.fullmatch(r"scimconf \d+\.\d+\.\d+\n", done.stdout)


def test_help_and_token_load_nothing_heavy() -> None:
    """All in one process: what none of them loads, each of them does not load."""
    calls = [["--help"], *([*name.split(), "--help"] for name in COMMANDS), ["token"]]
    code = (
        "import sys; from scimconf.cli import run\n"
        f"assert [run(each) for each in {calls}] == [0] * {len(calls)}\n"
        f"loaded = set(sys.modules) & set({HEAVY})\n"
        "sys.exit(', '.join(sorted(loaded)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"loaded: {done.stderr}"

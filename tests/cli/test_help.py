"""What --help shows, and the command lines that the documentation shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scimconf.cli import STEPS, VERBS, reference, scimconf
from scimconf.cli.help import Option, long_name
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
WITHOUT_VARIABLE |= {
    "--stage",
    "--replace-staged",
    "--activate",
    "--back",
    "--next",
    "--no-fallback",
    "--test",
    "--allow-many",
}
WITHOUT_VARIABLE |= {"--new-vault-id", "--new-vault-password-file", "--extra-vars"}
"""A forgotten variable must not confirm a change, print tokens, choose tokens or a password, or
override the inventory."""
VAULT = {"--vault-id", "--vault-password-file", "--ask-vault-pass"}
OF_ITS_OWN = {
    "handoff --format",
    "handoff --out",
    "token list --format",
    "rotate --wait",
    "verify --test-user",
    "verify --wait",
}
"""In a pipeline, SCIMCONF_FORMAT and SCIMCONF_OUT are meant for other verbs. SCIMCONF_WAIT would
make every run wait."""
IMPERATIVES = sorted(
    {
        *("Accept", "Add", "Allow", "Also", "Apply", "Ask", "Become", "Change", "Create", "Do"),
        *(
            "Edit",
            "Fetch",
            "Generate",
            "Leave",
            "Limit",
            "List",
            "Log",
            "Print",
            "Put",
            "Read",
            "Replace",
        ),
        *("Retry", "Save", "Set", "Show", "Trust", "Use", "Wait", "With --settings: edit"),
        *("With --stage: also replace",),
        *("Work", "Write"),
    }
)


def _program() -> click.Context:
    """Return the context of every verb."""
    return click.Context(scimconf, info_name="scimconf", **scimconf.context_settings)


COMMANDS = dict(reference.commands())


def _typed(page: Path) -> Iterator[str]:
    """Return the command lines of a page, from code blocks and code spans."""
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
        if set(line.split()[1:2]) & set(VERBS)  # the first cell of a table row
    }
)


def test_the_pages_contain_command_lines() -> None:
    assert len(LINES) > 10
    assert {page for page, _ in LINES} >= {"README.md", "applying.md", "exit-codes.md"}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_command_lines_of_the_pages_are_valid(page: str, line: str) -> None:
    words = re.sub(r"\[PATTERN\]|\{\{ *sheet\.server *\}\}", "chat1", line)
    _, verb, *arguments = shlex.split(words)
    command = COMMANDS[verb]
    if isinstance(command, click.Group) and arguments:
        command = COMMANDS[f"{verb} {arguments.pop(0)}"]
    command.make_context(verb, arguments, parent=_program())


def test_the_readme_lists_all_verbs() -> None:
    listed = re.findall(r"^\| `(\w+)(?: [^`]*)?` \|", (ROOT / "README.md").read_text(), re.M)
    assert listed == list(VERBS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_its_variable_and_a_text(name: str) -> None:
    command = COMMANDS[name]
    for parameter in command.params:
        if not isinstance(parameter, click.Option):
            continue
        assert parameter.help
        names = {*parameter.opts, *(f"{name} {each}" for each in parameter.opts)}
        own = name == "init" and not names & VAULT
        if own or names & (WITHOUT_VARIABLE | OF_ITS_OWN):
            assert parameter.envvar is None
            continue
        long = long_name(parameter)
        assert parameter.envvar == f"SCIMCONF_{long[2:].replace('-', '_').upper()}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_variables_are_explained_once(name: str) -> None:
    command = COMMANDS[name]
    text = command.get_help(click.Context(command, _program(), name, terminal_width=80))
    options = [each for each in command.params if isinstance(each, Option)]
    assert text.count("SCIMCONF_") == any(each.envvar for each in options)
    listed = re.sub(r"-\n\s*", "-", text.partition("Exceptions:")[2])  # lines break at hyphens
    assert set(re.findall(r"--[a-z-]+", listed)) == {
        long_name(each) for each in options if not each.envvar and listed
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_each_text_has_at_most_two_lines_and_begins_with_a_verb(name: str) -> None:
    command = COMMANDS[name]
    context = click.Context(command, _program(), name, terminal_width=80)
    sections = command.get_help(context).split(":\n  ")[1:]
    entries = [each for section in sections for each in re.split(r"\n  (?=\S)", section)]
    assert entries
    for entry in entries:
        assert len(entry.partition("\n\n")[0].splitlines()) <= 2 + entry.startswith("--make"), entry
    for parameter in command.params:
        if isinstance(parameter, Option):
            assert parameter.help
            assert re.match(rf"({'|'.join(IMPERATIVES)})\b", parameter.help), parameter.help


@pytest.mark.parametrize("name", COMMANDS)
def test_a_default_that_is_shown_is_the_default(name: str) -> None:
    for parameter in COMMANDS[name].params:
        default = getattr(parameter, "default", None)
        if (
            isinstance(parameter, Option)
            and isinstance(default, str | int)
            and not isinstance(default, bool)
        ):
            assert parameter.count or f"[default: {default}]" in str(parameter.help)


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, scimconf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = scimconf(*name.split(), "-h")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == scimconf(*name.split(), "--help").stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_no_summary_of_a_verb_is_cut_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = re.findall(r"^  ([a-z]+) +(.*)$", scimconf.get_help(_program()), re.M)
    summaries = {verb: text for verb, text in listed if verb in VERBS}
    assert list(summaries) == list(VERBS)
    assert all(text.endswith(".") and not text.endswith("...") for text in summaries.values())


def test_the_verb_table_says_what_the_help_of_each_verb_says() -> None:
    listed = {verb: text for verbs in STEPS.values() for verb, text in verbs.items()}
    program = _program()
    inside = {verb: scimconf.get_command(program, verb) for verb in VERBS}
    assert listed == {
        verb: inner and inner.get_short_help_str(200) for verb, inner in inside.items()
    }


def test_the_page_of_options_is_up_to_date() -> None:
    committed = (ROOT / "docs/options.md").read_text(encoding="utf-8")
    assert committed == reference.page(), "run: make docs"
    assert "Generated" in committed.splitlines()[0]


@pytest.mark.parametrize("arguments", [(), ("inventory",)])
def test_without_arguments_it_prints_its_usage(arguments: tuple[str, ...], scimconf: Run) -> None:
    done = scimconf(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"Usage: {' '.join(('scimconf', *arguments))} ")


def test_version(scimconf: Run) -> None:
    done = scimconf("--version")
    assert re.fullmatch(r"scimconf \d+\.\d+\.\d+\n", done.stdout)


def test_help_and_token_load_no_slow_modules() -> None:
    """Each verb loads its modules when it is called. These two need few."""
    calls = [["--help"], ["token", "--help"], ["token"]]
    code = (
        "import sys; from scimconf.cli import run\n"
        f"assert [run(each) for each in {calls}] == [0] * {len(calls)}\n"
        f"loaded = set(sys.modules) & set({HEAVY})\n"
        "sys.exit(', '.join(sorted(loaded)) or None)"
    )
    environment = {**os.environ, "SCIMCONF_FORKS": "3"}  # its name is checked
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"loaded: {done.stderr}"

"""Shell completion: through click, and typed into real shells."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from scimconf.cli import completion, scimconf
from tests.cli.conftest import Run
from tests.cli.terminal import Terminal, own_environment

INVENTORY = """\
all:
  children:
    europe:
      vars: {scim_realms: {acme: {}, "": {}}}
      hosts: {chat1.example.com: , chat2.example.com: , "fe80::1": }
    empty:
  hosts:
    db.example.com: {scim_realms: {wiki: , old: {state: absent}}}
"""

TOKENS = """\
version: 2
scimconf_tokens:
  "chat0.example.com":
    "": {removed: "2026-01-01T00:00:00Z"}
    "acme": {removed: "2026-01-01T00:00:00Z"}
...
"""


@pytest.fixture
def folder(empty: Run, tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    return tmp_path


def _offered(*words: str) -> list[str]:
    """Return the completions of the last word."""
    complete = ShellComplete(scimconf, {}, "scimconf", "_SCIMCONF_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


HOSTS = ["chat1.example.com", "chat2.example.com", "fe80::1", "db.example.com"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["plan", ""], ["all", "ungrouped", "europe", *sorted(HOSTS, key="dcfe".find)]),
        (["apply", "eu"], ["europe"]),
        (["plan", "ch"], HOSTS[:2]),
        (["plan", "db.example.com", "europe,d"], ["europe,db.example.com"]),
        (["plan", "europe:!chat2"], ["europe:!chat2.example.com"]),
        (["plan", "&e"], ["&europe"]),
        (["plan", "fe80:"], ["fe80::1"]),
        (["plan", "x"], []),
        (["verify", "--limit", "d"], ["db.example.com"]),
        (["inventory", "list", "eu"], ["europe"]),
        (["render", "ch"], HOSTS[:2]),
        (["handoff", "--realm", ""], ["acme", "old", "wiki"]),
        (["rotate", "europe", "--realm", "a"], ["acme"]),
        (["plan", "--realm", "w"], ["wiki"]),
        (["token", "l"], ["list"]),
        (["token", "list", "eu"], ["europe"]),
        (["token", "move", "ch"], ["chat0.example.com"]),
        (["token", "move", "chat0.example.com/"], ["chat0.example.com/", "chat0.example.com/acme"]),
        (["token", "move", "chat0.example.com", "db"], ["db.example.com"]),
        (["token", "move", "x", "db.example.com/"], ["db.example.com/old", "db.example.com/wiki"]),
        (["apply", "--format", "j"], ["json", "junit"]),
        (["ro"], ["rotate"]),
        (["frobnicate", "x"], []),
        (["plan", "--di"], ["--diff"]),
    ],
    ids=" ".join,
)
def test_completion_offers(words: list[str], offered: list[str]) -> None:
    found = _offered(*words)
    assert sorted(found) == sorted(offered)


def test_the_inventory_comes_from_the_option_or_the_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "inventory.yaml").rename(folder / "fleet.yml")
    assert _offered("plan", "ch") == []
    assert _offered("plan", "-i", "fleet.yml", "ch") == HOSTS[:2]
    monkeypatch.setenv("HOME", str(folder))
    assert _offered("plan", "-i", "~/fleet.yml", "ch") == HOSTS[:2]
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = fleet.yml\n")
    assert _offered("plan", "ch") == HOSTS[:2]
    (folder / "ansible.cfg").unlink()
    monkeypatch.setenv("SCIMCONF_INVENTORY", "fleet.yml")
    assert _offered("plan", "ch") == HOSTS[:2]


@pytest.mark.parametrize(
    "text",
    ["all: [", "all:\n  hostss: {}\n  hosts: {chat1: {scim_realm: x}}\n", "\0", "[web]\nchat1\n"],
)
def test_a_broken_inventory_prints_nothing(
    text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "inventory.yaml").write_text(text)
    assert set(_offered("plan", "ch")) <= {"chat1"}
    assert capsys.readouterr() == ("", "")


def test_no_program_is_run_and_no_pipe_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {folder}/ran\necho '{{}}'\n")
    program.chmod(0o755)
    os.mkfifo(folder / "pipe")
    line = ("plan", "--allow-exec", "-i", "program", "-i", "pipe", "-i", "-", "-i")
    assert _offered(*line, "inventory.yaml", "ch") == HOSTS[:2]
    assert not (folder / "ran").exists()
    assert capsys.readouterr() == ("", "")


def test_nothing_is_offered_after_the_time_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever(*_: object, **__: object) -> None:
        while True:
            pass

    monkeypatch.setattr("scimconf.inventory.layout.read", forever)
    monkeypatch.setattr(completion, "_SECONDS", 0.01)
    before = signal.getsignal(signal.SIGPROF)
    assert _offered("plan", "ch") == []
    assert signal.getsignal(signal.SIGPROF) is before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_every_argument_for_hosts_groups_and_realms_is_completed() -> None:
    context = click.Context(scimconf, info_name="scimconf")
    for verb in scimconf.list_commands(context):
        command = scimconf.get_command(context, verb)
        assert command
        for parameter in command.params:
            if parameter.name in ("pattern", "limit", "host") or (
                parameter.name == "realms" and verb != "init"
            ):
                assert parameter._custom_shell_complete, f"{verb}: {parameter.name}"


# --- real shells --------------------------------------------------------------------------------


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """A program `scimconf` in PATH, and a shell without settings of the user."""
    (folder / "bin").mkdir()
    program = folder / "bin/scimconf"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scimconf "$@"\n')
    program.chmod(0o755)
    own = own_environment()
    return {**own, "PATH": f"{folder}/bin:{own['PATH']}", "HOME": str(folder), "PS1": "$ "}


def _installed(shell: str, into: str, folder: Path, environment: dict[str, str]) -> Path:
    """Install the completion as docs/how-to/completion.md says; return the file."""
    page = Path(__file__).parents[2] / "docs/how-to/completion.md"
    line = f"_SCIMCONF_COMPLETE={shell}_source scimconf > ~/{into}"
    assert f"$ {line}\n" in page.read_text()
    path = folder / into
    path.parent.mkdir(parents=True)
    subprocess.run(["bash", "-c", line], env=environment, check=True)
    return path


def _tab(program: Sequence[str], folder: Path, environment: dict[str, str], setup: str) -> str:
    """Type into an interactive shell and press Tab; return the text of the screen."""
    with Terminal(cwd=folder, env=environment, columns=200, program=program) as terminal:
        terminal.type(f"{setup}; echo rea''dy\n")
        terminal.wait_for("ready")
        for typed, completed in (("scimconf handoff --realm wi", "ki"), ("db", ".example.com")):
            terminal.type(typed)
            terminal.wait_for(typed[-2:])  # zsh completes nothing while more keys are waiting
            terminal.type("\t")
            terminal.wait_for(completed)
        terminal.type("\x15exit\n")
        terminal.end()
        return terminal.text


def test_bash(folder: Path, environment: dict[str, str]) -> None:
    into = ".local/share/bash-completion/completions/scimconf"
    script = _installed("bash", into, folder, environment)
    said = _tab(("bash", "--norc", "-i"), folder, environment, f". {script}")
    assert "Traceback" not in said


@pytest.mark.needs_zsh
def test_zsh(folder: Path, environment: dict[str, str]) -> None:
    script = _installed("zsh", ".zfunc/_scimconf_completion", folder, environment)
    setup = f"fpath=({script.parent} $fpath); autoload -Uz compinit && compinit -u"
    said = _tab(("zsh", "-f", "-i"), folder, environment, setup)
    assert "Traceback" not in said


@pytest.mark.needs_fish
def test_fish(folder: Path, environment: dict[str, str]) -> None:
    into = ".config/fish/completions/scimconf.fish"
    _installed("fish", into, folder, environment)
    asked = "complete -C 'scimconf plan europe:d'; complete -C 'scimconf handoff --realm '"
    done = subprocess.run(
        ["fish", "-c", asked],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "europe:db.example.com\thost\nacme\nold\nwiki\n"

"""Without a terminal, a run asks nothing: it names the missing option and contacts no server.

The stdin of these tests is not a terminal. test_terminal.py has a pseudo-terminal.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.terminal import own_environment

PASSWORD = ("--vault-password-file", "password")


def _refused(done: subprocess.CompletedProcess[str], option: str) -> None:
    assert (done.returncode, done.stdout) == (64, ""), done
    assert re.search("no terminal|without a terminal|vault password is needed", done.stderr), (
        done.stderr
    )
    assert option in done.stderr


@pytest.mark.parametrize("verb", ["apply", "rotate", "undo", "recover"])
def test_changing_verbs_need_yes(verb: str, scimconf: Run) -> None:
    done = scimconf(verb, "chat1.example.com", "--limit", "all")
    _refused(done, "to go on without a question, add --yes to this command")
    assert f"scimconf {verb}" not in done.stderr  # a new command line would lose the words


@pytest.mark.parametrize("asking", ["-k", "-K"])
@pytest.mark.parametrize(
    "words",
    [
        ("plan",),
        ("apply", "--check"),
        ("undo", "--yes"),
        ("recover", "--yes"),
    ],
    ids=" ".join,
)
def test_passwords_come_from_the_inventory(
    words: tuple[str, ...], asking: str, scimconf: Run
) -> None:
    said = {"-k": "put ansible_password into", "-K": "put ansible_become_password into"}
    _refused(scimconf(*words, asking), said[asking])


@pytest.mark.parametrize("asking", [(), ("--ask-vault-pass",)])
@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("rotate", "--yes"),
        ("handoff", "--show-tokens"),
        ("render", "chat1.example.com", "--show-tokens"),
    ],
    ids=" ".join,
)
def test_vault_passwords_come_from_a_file(
    words: tuple[str, ...], asking: tuple[str, ...], scimconf: Run
) -> None:
    made = scimconf("render", "chat1.example.com", "--create-tokens", "--show-tokens", *PASSWORD)
    assert made.returncode == 0, made.stderr
    hosts = () if words[0] == "render" else ("chat1*",)
    _refused(scimconf(*words, *hosts, *asking), "--vault-password-file FILE")


def test_import_needs_a_vault_password(scimconf: Run, tmp_path: Path) -> None:
    bare = "all: {hosts: {chat1.example.com: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
    (tmp_path / "bare.yaml").write_text(bare)
    _refused(scimconf("import", "-i", "bare.yaml"), "--vault-password-file FILE")


def test_init_needs_a_host(empty: Run) -> None:
    _refused(empty("init"), "--host")


def test_an_answer_from_a_pipe_is_not_read(scimconf: Run, tmp_path: Path) -> None:
    """An answer must come from a person at a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "scimconf", "undo"],
        cwd=tmp_path,
        env=own_environment(),
        input="y\ny\n",
        capture_output=True,
        text=True,
        check=False,
    )
    _refused(done, "--yes")

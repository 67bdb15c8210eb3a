"""Every error becomes a message, a hint and an exit code."""

from __future__ import annotations

import gc
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scimconf import cli
from scimconf.cli import log, streams
from scimconf.cli.options import OutputOptions
from scimconf.errors import ScimconfError, Stopped, Unreachable
from scimconf.secret import Secret
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "said", "help_of"),
    [
        (("paln",), "no such command 'paln'. Did you mean 'plan'?", "scimconf"),
        (("xyzzy",), "no such command 'xyzzy'. Commands: init, import", "scimconf"),
        (("--versoin",), "--versoin", "scimconf"),
        (("plan", "--dif"), "--diff", "scimconf plan"),
        (("plan", "-i"), "option '-i' requires an argument", "scimconf plan"),
        (("plan", "--out"), "option '--out' requires an argument", "scimconf plan"),
        (("inventory", "list", "-l"), "requires an argument", "scimconf inventory list"),
        (("plan", "-f", "x"), "invalid value for '-f' / '--forks'", "scimconf plan"),
        (("render",), "missing argument 'HOST'", "scimconf render"),
        (("render", "a", "b"), "got unexpected extra argument (b)", "scimconf render"),
        (("render", "a", "--secrets", "b"), "--secrets needs --settings", "scimconf render"),
        (("render", "all"), "'all' matches 2: chat1.example.com, chat2", "scimconf render"),
        (("inventory", "chek"), "no such command 'chek'", "scimconf inventory"),
        (("handoff", "--realm", "x"), "no realm to hand off", "scimconf handoff"),
        (("token", "--phrase", "--length", "9"), "--phrase takes --entropy", "scimconf token"),
        (("token", "--phrase", "--charset", "hex"), "--phrase takes", "scimconf token"),
        (("token", "--entropy", "200", "--length", "40"), "exclude each other", "scimconf token"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_names_the_help_to_read(
    arguments: tuple[str, ...], said: str, help_of: str, scimconf: Run
) -> None:
    done = scimconf(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert hint == f"  -> see: {help_of} --help"


def _raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("scimconf.cli.inventory.load", fail)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ScimconfError("what\x1b[2J", "next"), 1, "error: what\\x1b[2J\n  -> next\n"),
        (Unreachable("connect", "gone"), 3, "error: gone\n"),
        (click.Abort(), 130, "\ninterrupted\n"),
        (Stopped("nothing was changed"), 130, "nothing was changed\n"),
        (KeyboardInterrupt(), 130, "\n\ninterrupted\n"),
        (click.ClickException("Odd."), 64, "error: odd\n  -> see: scimconf --help\n"),
    ],
    ids=repr,
)
def test_an_error_becomes_a_message_and_an_exit_code(
    error: BaseException, code: int, said: str, scimconf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _raising(error, monkeypatch)
    done = scimconf("inventory", "check")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


def test_a_bug_shows_its_place_and_no_value(scimconf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(ValueError("hunter2"), monkeypatch)
    done = scimconf("inventory", "check")
    assert done.returncode == 1
    assert re.match(
        r"error: this is a bug in scimconf: ValueError at test_errors.py:\d+\n", done.stderr
    )
    assert "hunter2" not in done.stderr


def test_main_exits_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(gc, "set_threshold", lambda threshold: None)
    cli.main(["--version"])
    assert capsys.readouterr().out.startswith("scimconf ")
    monkeypatch.setattr(cli, "run", lambda arguments: 130)
    cli.main([])
    assert ended == [0, 130]


# --- closed and full outputs ------------------------------------------------------------------


def _pipe(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        ["bash", "-c", f'scimconf() {{ "{sys.executable}" -m scimconf "$@"; }}; {command}'],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [("token --count 10000", 0), ("inventory schema", 0), ("plan chat1*", 3)],
)
def test_a_closed_stdout_pipe_is_not_an_error(
    command: str, code: int, scimconf: Run, tmp_path: Path
) -> None:
    """With `exec <&-`, the reader has closed the pipe before scimconf writes."""
    done = _pipe(f"scimconf {command} | exec 0<&-; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert "rror" not in done.stderr


def test_a_closed_stderr_pipe_is_not_an_error(scimconf: Run, tmp_path: Path) -> None:
    both = "(scimconf plan chat1* -v; echo $? > code) 2>&1 | exec 0<&-"
    done = _pipe(both, tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert (tmp_path / "code").read_text() == "3\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error(scimconf: Run, tmp_path: Path) -> None:
    done = _pipe("scimconf token > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write the output: No space left on device\n  -> ")
    assert done.stderr.count("\n") == 2
    done = _pipe("scimconf plan --help > /dev/full", tmp_path)
    said = "error: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_closed_streams_are_not_an_error(closed: str, scimconf: Run, tmp_path: Path) -> None:
    done = _pipe(f"scimconf plan chat1* {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (3, "")


def test_err_ignores_an_unwritable_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def fileno(self) -> int:
            raise OSError

    monkeypatch.setattr(sys, "stderr", Full())
    streams.err("a warning")


# --- the log ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("log")
def test_the_log_goes_to_stderr_and_holds_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    token = Secret("gR7bQ2mXv9LkPz4TnW8s")
    for verbose, quiet, said in (
        (0, False, "warning: not <secret>\n"),
        (0, True, ""),
        (3, False, "warning: not <secret>\nparamiko.transport: sent <secret>\n"),
    ):
        log.start_log(OutputOptions("text", verbose, quiet))
        logging.getLogger("scimconf.somewhere").warning("not %s", token.reveal())
        logging.getLogger("paramiko.transport").debug("sent %s", token.reveal())
        assert capsys.readouterr().err == said

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scimconf.errors import UsageError
from scimconf.model import Reference
from scimconf.secret import Secret
from scimconf.tokens.references import resolve

TOKEN = "gR7bQ2mXv9LkPz4TnW8s"


def _env(name: str) -> Reference:
    return Reference("env", (name,), "/")


def _file(path: Path, folder: Path | str = "/") -> Reference:
    return Reference("file", (str(path),), str(folder))


def _command(*words: str, folder: Path | str = "/") -> Reference:
    return Reference("command", words, str(folder))


def _python(code: str) -> Reference:
    return _command(sys.executable, "-c", code)


# --- env --------------------------------------------------------------------------------------


def test_the_environment_gives_a_token_and_no_child_inherits_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    assert resolve(_env("ACME_TOKEN")) == Secret(TOKEN)
    assert "ACME_TOKEN" not in os.environ
    assert TOKEN not in subprocess.run(["env"], capture_output=True, text=True).stdout
    assert resolve(_env("ACME_TOKEN")) == Secret(TOKEN), "another realm may name it too"


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with pytest.raises(UsageError, match=r"env:NO_SUCH_TOKEN: .* NO_SUCH_TOKEN is not set"):
        resolve(_env("NO_SUCH_TOKEN"))


# --- file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_gives_a_token_without_its_line_break(tmp_path: Path, end: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(f"{TOKEN}{end}".encode())
    path.chmod(0o600)
    assert resolve(_file(path)) == Secret(TOKEN)


def test_a_relative_path_starts_at_the_file_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve(_file(Path("token"), tmp_path)) == Secret(TOKEN)
    assert resolve(_file(Path("~/token"))) == Secret(TOKEN)


def test_a_file_that_others_can_read_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        resolve(_file(path))
    assert "mode 0644" in caplog.text
    assert TOKEN not in caplog.text
    path.chmod(0o600)
    caplog.clear()
    resolve(_file(path))
    assert not caplog.records


def test_a_path_that_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, words in (
        ("missing", "No such file"),
        ("fifo", "not a regular file"),
        (".", "directory"),
        ("a\0b", "not a path"),
    ):
        with pytest.raises(UsageError, match=words) as error:
            resolve(_file(tmp_path / name))
        assert "file:" in str(error.value)


# --- command ----------------------------------------------------------------------------------


def test_a_command_gives_a_token() -> None:
    assert resolve(_command("echo", TOKEN)) == Secret(TOKEN)


def test_a_command_runs_in_the_folder_of_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    assert resolve(_command("cat", "token", folder=tmp_path)) == Secret(TOKEN)


def test_a_command_runs_without_a_shell() -> None:
    with pytest.raises(UsageError, match="space"):
        resolve(_command("echo", TOKEN, "; echo", "$HOME"))


def test_a_command_has_no_terminal_and_no_input() -> None:
    code = (
        "import os, sys\n"
        "assert sys.stdin.read() == ''\n"
        "try: os.open('/dev/tty', os.O_RDWR)\n"
        f"except OSError: print('{TOKEN}')\n"
    )
    assert resolve(_python(code)) == Secret(TOKEN)


@pytest.mark.parametrize("code", [1, 3, 127])
def test_a_failed_command_is_reported_without_its_output(
    code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=f"exited with status {code}$") as error:
        resolve(_python(f"import sys; print('{TOKEN}', file=sys.stderr); sys.exit({code})"))
    assert TOKEN not in error.value.hint
    assert capfd.readouterr() == ("", "")


def test_a_command_ended_by_a_signal_is_reported() -> None:
    with pytest.raises(UsageError, match="signal 9"):
        resolve(_command("sh", "-c", "kill -9 $$"))


def test_a_command_that_cannot_be_started_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"cannot start no-such-program: (No such file|Permission)"
    ):
        resolve(_command("no-such-program"))
    with pytest.raises(UsageError, match="cannot start"):
        resolve(_command("a\0b"))


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"sleep 600 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"
    for timeout in (0.2, 1.0, 5.0, 25.0):
        with pytest.raises(UsageError, match=f"no token within {timeout:g} seconds"):
            resolve(_command("sh", "-c", code), timeout=timeout)
        if pid.exists():  # on a busy machine, the program may not have started in time
            break
    deadline = time.monotonic() + 30
    while _runs(pid.read_text().strip()):
        assert time.monotonic() < deadline, "the child is still there"


def _runs(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_command_that_closes_its_output_and_hangs_is_killed() -> None:
    with pytest.raises(UsageError, match="no token within"):
        resolve(_command("sh", "-c", f"echo {TOKEN}; exec >&- sleep 600"), timeout=0.2)


def test_a_command_with_endless_output_is_cut_off() -> None:
    with pytest.raises(UsageError, match="more than 65536 bytes"):
        resolve(_command("yes", TOKEN))


# --- all --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"tooweak", "bits"),
        (b"Bearer gR7bQ2mXv9LkPz4TnW8s\n", "Bearer"),
        (b"gR7bQ2mXv9LkPz4TnW8s\n\n", "line break"),
        (b"t\xc3\xb6k\xc3\xa9n", "not ASCII"),
        (b"\xff\xfe\x00", "not ASCII"),
        (b"a" * 70_000, "more than 65536 bytes"),
    ],
)
def test_an_invalid_token_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UsageError, match=words) as error:
        resolve(_file(path))
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert "gR7b" not in str(error.value)
    assert "tooweak" not in str(error.value)

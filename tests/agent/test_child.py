"""Running other programs."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scimconf.agent import child


def test_output_exit_code_and_stdin(tmp_path: Path) -> None:
    program = "import os, sys; print(sys.stdin.read(), os.getcwd()); sys.exit('no')"
    ended = child.run([sys.executable, "-c", program], str(tmp_path), 30, "hello")
    assert ended.code == 1
    assert ended.out == f"hello {tmp_path}\n"
    assert ended.last_line == "no"


def test_a_missing_program(tmp_path: Path) -> None:
    ended = child.run([str(tmp_path / "none")], "/", 30)
    assert ended.code == 127
    assert "cannot be started: No such file" in ended.last_line


def test_a_program_that_does_not_read_its_stdin(tmp_path: Path) -> None:
    assert child.run(["/bin/sh", "-c", "exit 3"], "/", 30, "x" * 1_000_000).code == 3


def test_a_program_without_output() -> None:
    assert child.run(["/bin/sh", "-c", ":"], "/", 30).last_line == "it wrote nothing"


def test_the_time_limit_kills_the_whole_process_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 600 & echo $! > '{pid}'; sleep 600"
    assert child.run(["/bin/sh", "-c", script], "/", 0.5).code is None
    number = int(pid.read_text())
    deadline = time.monotonic() + 10
    while _runs(number):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_run_does_not_wait_for_a_daemon(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    ended = child.run(["/bin/sh", "-c", f"sleep 600 & echo $! > '{pid}'"], "/", 30)
    assert ended.code == 0
    os.kill(int(pid.read_text()), 9)


def test_the_end_of_long_output_is_kept() -> None:
    program = "print('x' * 1000000); print('the end')"
    ended = child.run([sys.executable, "-c", program], "/", 30)
    assert ended.last_line == "the end"
    assert len(ended.out) < 100_000


def test_output_is_kept_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, no temporary file can be created."""

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("TemporaryFile", "mkstemp", "gettempdir"):
        monkeypatch.setattr(tempfile, name, full)
    ended = child.run(["/bin/sh", "-c", "echo out; echo err >&2"], str(tmp_path), 10)
    assert ended == child.Ended(0, "out\n", "err\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UMASK\t\t022\n", 0o022),
        ("# UMASK 077\nUMASK 027\nUSERGROUPS_ENAB yes\n", 0o027),
        ("UMASK 077\nUMASK 0002\n", 0o002),
        ("UMASK 9\nSUMASK 077\n", 0o022),
        ("", 0o022),
        (None, 0o022),
    ],
)
def test_the_umask_is_that_of_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, expected: int
) -> None:
    file = tmp_path / "login.defs"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(child, "_LOGIN_DEFS", str(file))
    before = os.umask(0o077)
    try:
        ended = child.run(["/bin/sh", "-c", "umask; no-such-command"], str(tmp_path), 30)
        assert child.run([str(tmp_path / "none")], str(tmp_path), 30).code == 127
        assert int(ended.out, 8) == expected
        assert os.umask(0o077) == 0o077  # the agent's own umask is unchanged
    finally:
        os.umask(before)

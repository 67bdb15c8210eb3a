from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scimconf import child
from scimconf.child import Ended, NotStartedError, TooMuchError, TooSlowError


def sh(script: str, *, seconds: float = 10.0, most: int = 1000, most_stderr: int = 1000) -> Ended:
    return child.run(["/bin/sh", "-c", script], seconds=seconds, most=most, most_stderr=most_stderr)


def gone(pid: int) -> bool:
    """Return whether a process ends in time. A zombie has ended."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_both_outputs_and_the_status() -> None:
    assert sh("echo out; echo err >&2; exit 3") == Ended(3, b"out\n", b"err\n")


@pytest.mark.parametrize(
    ("script", "how"),
    [("exit 3", "exited with status 3"), ("kill -9 $$", "was ended by signal 9")],
)
def test_how_it_ended(script: str, how: str) -> None:
    assert sh(script).how == how


def test_a_program_has_no_input_and_no_terminal() -> None:
    assert sh("cat; tty").out == b"not a tty\n"
    assert sh("ps -o sid= -p $$; echo $$").out.split()[0] != str(os.getsid(0)).encode()


def test_environment_and_folder(tmp_path: Path) -> None:
    ended = child.run(
        ["/bin/sh", "-c", 'echo "$NAME"; pwd'],
        seconds=10,
        most=1000,
        environment={"NAME": "value"},
        folder=str(tmp_path),
    )
    assert ended.out.decode() == f"value\n{tmp_path}\n"


@pytest.mark.parametrize("argv", [["/nowhere/program"], ["/bin/echo", "a\0b"]])
def test_a_program_that_cannot_be_started(argv: list[str]) -> None:
    with pytest.raises(NotStartedError, match="cannot be started: "):
        child.run(argv, seconds=1, most=10)


def test_long_output_is_refused() -> None:
    assert sh("printf 12345", most=5).out == b"12345"
    with pytest.raises(TooMuchError, match="more than 4 bytes"):
        sh("printf 12345", most=4)
    with pytest.raises(TooMuchError):
        sh("yes")


def test_the_beginning_of_stderr_is_kept() -> None:
    assert sh("printf 12345 >&2", most_stderr=4).err == b"1234"
    assert sh("yes | head -c 300000 >&2; echo out").out == b"out\n"
    assert sh("yes | head -c 300000 >&2; echo out", most_stderr=0) == Ended(0, b"out\n", b"")


@pytest.mark.parametrize("script", ["sleep 60", "sleep 60 & wait", "exec >&- 2>&-; sleep 60"])
def test_a_program_that_is_too_slow_is_killed_with_its_children(
    tmp_path: Path, script: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(TooSlowError, match=r"within 0\.3 s"):
        sh(f"echo $$ > {tmp_path}/pid; {script}", seconds=0.3)
    assert time.monotonic() - begun < 5
    assert gone(int((tmp_path / "pid").read_text()))


def test_no_pipe_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    sh("true")
    with pytest.raises(TooMuchError):
        sh("yes")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("script", "status"), [("exit 5", 5), ("sleep 60", -15), ("trap '' TERM; sleep 60", -9)]
)
def test_end(monkeypatch: pytest.MonkeyPatch, script: str, status: int) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.3)
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True) as process:
        assert child.end(process) == status


_CTRL_C_AGAIN_AND_AGAIN = """
import os, signal
from scimconf import child

signal.signal(signal.SIGINT, lambda *_: None)
sender = os.fork()
if not sender:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        os.killpg(0, signal.SIGINT)
try:
    print({child.run(["/bin/true"], seconds=30, most=10).how for _ in range(200)})
finally:
    os.kill(sender, signal.SIGKILL)
"""


def test_ctrl_c_does_not_end_a_program_before_its_session_begins() -> None:
    """The terminal sends SIGINT to its whole process group: also to a program that just starts."""
    done = subprocess.run(
        [sys.executable, "-c", _CTRL_C_AGAIN_AND_AGAIN],
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{'exited with status 0'}\n", "")


def test_this_process_still_gets_ctrl_c_after_it_has_started_a_program() -> None:
    with pytest.raises(KeyboardInterrupt), child.unreached_by_ctrl_c():
        os.kill(os.getpid(), signal.SIGINT)

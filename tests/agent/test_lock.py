from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import child, journal, lock
from scimconf.agent.transaction import apply, recover
from tests.agent.fake import Zulip

ROOT = str(Path(__file__).parents[2])
_HOLD = (
    "import sys\nsys.path.insert(0, {root!r})\nfrom scimconf.agent import lock\n"
    "with lock.held({folder!r}, 'ops from 192.0.2.1'):\n"
    "    print('held', flush=True)\n    sys.stdin.read()\n"
)


@contextlib.contextmanager
def held_elsewhere(folder: Path) -> Any:
    """Hold the lock in another process. Yield the process."""
    code = _HOLD.format(root=ROOT, folder=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_run_waits_for_another_run_and_reports_its_user(zulip: Zulip) -> None:
    said: list[dict[str, Any]] = []
    with held_elsewhere(zulip.state) as other:

        def emit(message: dict[str, Any]) -> None:
            said.append(message)
            if message.get("detail", "").startswith("waiting for ops from 192.0.2.1 (process "):
                other.stdin.close()

        final = apply({**zulip.apply(acme="x" * 30), "lock_timeout": 60}, emit, "a test")
    assert final["result"] == "committed"
    assert [each["step"] for each in said[:3]] == ["lock", "lock", "lock"]
    assert said[2]["ok"] is True


def test_a_run_waits_no_longer_than_the_lock_timeout(zulip: Zulip) -> None:
    with held_elsewhere(zulip.state):
        final = apply({**zulip.apply(acme="x" * 30), "lock_timeout": 0.6}, print, "a test")
    assert final["result"] == "busy"
    assert "ops from 192.0.2.1 (process " in final["message"]
    assert "since 2" in final["message"]


def test_the_lock_of_a_dead_run_is_free(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as other:
        assert str(lock.holder(str(tmp_path))).startswith("ops from 192.0.2.1")
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert lock.holder(str(tmp_path)) is None
        with lock.held(str(tmp_path), "a test"):
            pass


def test_two_runs_cannot_hold_the_lock_together(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path), pytest.raises(lock.Busy), lock.held(str(tmp_path), "a test"):
        pass


# --- a restart that outlives its agent ------------------------------------------------------------


def interrupted(zulip: Zulip, restart_timeout: float) -> tuple[bytes, bytes]:
    """Leave the state of a run that died at its restart. Return the two files as before the run."""
    pair = zulip.pair()
    request = {**zulip.apply(acme="x" * 30), "restart_timeout": restart_timeout}
    assert apply(request, lambda message: None, "a test")["result"] == "committed"
    last = journal.read(str(zulip.state))
    assert last
    journal.begin(str(zulip.state), last.kind, last.undo, "restart")
    return pair


def test_the_next_run_waits_for_an_orphaned_restart(zulip: Zulip) -> None:
    pair = interrupted(zulip, 30)
    said: list[dict[str, Any]] = []
    with contextlib.ExitStack() as restart:
        restart.enter_context(lock.restart_lock(str(zulip.state)))

        def emit(message: dict[str, Any]) -> None:
            said.append(message)
            if "waiting for the restart of an interrupted run" in message.get("detail", ""):
                assert zulip.pair() != pair, "nothing is rolled back before the restart has ended"
                restart.close()

        final = recover({"paths": zulip.paths()}, emit, "a test")
    assert final["result"] == "recovered", final
    assert zulip.pair() == pair


def test_the_next_run_waits_no_longer_than_a_restart_may_take(zulip: Zulip) -> None:
    interrupted(zulip, 1.5)
    now = zulip.pair()
    with lock.restart_lock(str(zulip.state)):
        for ask, request in ((recover, {"paths": zulip.paths()}), (apply, zulip.apply(acme=None))):
            final = ask(request, lambda message: None, "a test")
            assert (final["result"], final["changed"]) == ("busy", False)
            assert "the restart of an interrupted run is still running" in final["message"]
    assert zulip.pair() == now


def test_the_restart_program_holds_the_lock_but_its_daemons_do_not(tmp_path: Path) -> None:
    folder = str(tmp_path)
    pid, held = tmp_path / "pid", tmp_path / "held"
    try_it = f"flock -n '{tmp_path}/restart' true || echo yes > '{held}'"
    with lock.held(folder, "a test"), lock.restart_lock(folder) as holding:
        script = f"{try_it}; sleep 600 & echo $! > '{pid}'; cat; exit 7"
        ended = child.run(["/bin/sh", "-c", script], "/", 30, holding=holding)
    assert ended == child.Ended(7, "", "")
    assert held.read_text() == "yes\n"
    os.kill(int(pid.read_text()), 0)
    lock.wait_for_restart(folder, 0)
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_zulip_is_restarted_even_if_the_restart_lock_cannot_be_opened(
    tmp_path: Path,
) -> None:
    with lock.restart_lock(str(tmp_path / "none")) as holding:
        assert holding is None


def test_zulip_is_restarted_even_if_a_read_only_file_cannot_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock.held(str(tmp_path), "a test"):
        # NFS does this (flock(2)).
        monkeypatch.setattr(lock.fcntl, "flock", lambda *_: os.read(-1, 1))
        with lock.restart_lock(str(tmp_path)) as holding:
            assert holding is None

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import lock
from scimconf.agent.transaction import apply
from tests.agent.fake import Zulip

ROOT = str(Path(__file__).parents[2])
_HOLD = (
    "import sys\nsys.path.insert(0, {root!r})\nfrom scimconf.agent import lock\n"
    "with lock.held({folder!r}, 'ops from 192.0.2.1'):\n"
    "    print('held', flush=True)\n    sys.stdin.read()\n"
)


@contextlib.contextmanager
def held_elsewhere(folder: Path) -> Any:
    """Hold the lock in a process of its own; gives the process."""
    code = _HOLD.format(root=ROOT, folder=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_it_waits_for_another_run_and_says_for_whom(zulip: Zulip) -> None:
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


def test_it_waits_no_longer_than_it_was_told(zulip: Zulip) -> None:
    with held_elsewhere(zulip.state):
        final = apply({**zulip.apply(acme="x" * 30), "lock_timeout": 0.6}, print, "a test")
    assert final["result"] == "busy"
    assert "ops from 192.0.2.1 (process " in final["message"]
    assert "since 2" in final["message"]


def test_a_dead_runs_lock_is_free(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as other:
        assert lock.holder(str(tmp_path)).startswith("ops from 192.0.2.1")
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert lock.holder(str(tmp_path)) == ""
        with lock.held(str(tmp_path), "a test"):
            pass


def test_two_at_once_do_not_both_hold_it(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path), pytest.raises(lock.Busy), lock.held(str(tmp_path), "a test"):
        pass

from __future__ import annotations

import io
import re
import threading

import pytest
from rich.console import Console

from scimconf.report.no_progress import NoProgress
from scimconf.report.progress import LineProgress, LiveProgress

EVIL = "\x1b[2J[/bold]x"


def test_with_steps_a_line_is_printed_when_a_step_has_ended() -> None:
    said = io.StringIO()
    with LineProgress(Console(file=said, width=10), steps=True) as progress:
        progress.step("chat1.example.com", "write settings", True)
        progress.step("chat2", "restart", True)
        assert said.getvalue() == ""
        progress.step("chat1.example.com", "write settings", False)
        progress.step("chat2", "restart", False)
        progress.step("chat2", "never begun", False)
    assert re.sub(r"\d+\.\d", "0.0", said.getvalue()) == (
        "chat1.example.com: write settings 0.0 s\nchat2: restart 0.0 s\nchat2: never begun 0.0 s\n"
    )


def test_a_step_without_an_end_message_ends_with_its_server() -> None:
    said = io.StringIO()
    progress = LineProgress(Console(file=said), steps=True)
    progress.step("chat1", "observe", True)
    progress.step("chat2", "observe", True)
    progress.done("chat1")
    assert re.fullmatch(r"chat1: observe \d+\.\d s\n", said.getvalue())
    progress.done("chat1")
    assert said.getvalue().count("\n") == 1


def test_waiting_for_another_run_is_printed_at_once() -> None:
    said = io.StringIO()
    progress = LineProgress(Console(file=said), steps=True)
    progress.step("chat1", "lock", True)
    progress.step("chat1", "lock: waiting for ops from 192.0.2.1 (process 7), since noon", True)
    assert said.getvalue() == (
        "chat1: lock: waiting for ops from 192.0.2.1 (process 7), since noon\n"
    )
    progress.step("chat1", "lock", False)
    progress.done("chat1")
    assert said.getvalue().count("\n") == 2


def test_without_steps_each_changed_server_has_one_line() -> None:
    said = io.StringIO()
    progress = LineProgress(Console(file=said))
    progress.step("chat2", "verify", True)
    for name in ("lock", "write settings", "restart"):
        progress.step("chat1", name, True)
        progress.step("chat1", name, False)
    progress.done("chat1")
    progress.done("chat2")  # a single step changes nothing
    assert re.fullmatch(r"chat1: 3 steps in \d+\.\d s\n", said.getvalue())


def test_a_full_disk_does_not_stop_the_change() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    progress = LineProgress(Console(file=Full()))
    progress.step("chat1", "restart", False)


def _terminal(width: int = 80) -> tuple[Console, io.StringIO]:
    said = io.StringIO()
    return Console(file=said, force_terminal=True, width=width), said


def _frame(progress: LiveProgress, width: int = 80) -> list[str]:
    """Return the live lines as they are now."""
    said = io.StringIO()
    Console(file=said, width=width).print(progress._progress.get_renderable())
    return said.getvalue().splitlines()


def test_each_busy_server_has_a_live_line() -> None:
    console, said = _terminal()
    with LiveProgress(console) as progress:
        progress.step("chat1", "look again", True)
        progress.step("chat1", "look again", False)
        progress.step("chat1", "restart", True)
        progress.step("chat2", EVIL, True)
        progress._progress.refresh()
        lines = _frame(progress)
        assert re.fullmatch(r". 0:00:00 chat1 +restart *", lines[0])
        assert len(lines) == 2
        progress.done("chat1")
        progress.done("chat1")
        assert "chat1" not in "".join(_frame(progress))
    assert "[/bold]x" in said.getvalue()
    assert "\x1b[2J" not in said.getvalue()


def test_the_step_and_the_server_have_separate_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    console, _ = _terminal()
    progress = LiveProgress(console)
    now = 1000.0
    monkeypatch.setattr(progress._progress, "get_time", lambda: now)
    progress.step("chat1", "write settings", True)
    now += 12
    progress.step("chat1", "restart", True)
    now += 61
    (line,) = _frame(progress)
    assert line.split() == [line[0], "0:01:13", "chat1", "restart", "61", "s"]


def test_a_narrow_window_cuts_only_the_server_name() -> None:
    console, _ = _terminal(60)
    progress = LiveProgress(console)
    progress.step("chat-production-eu-west-17.corp.example.com", "register client", True)
    progress.step("chat1", "restart", True)
    for line, step in zip(_frame(progress, 60), ("register client", "restart"), strict=True):
        assert re.match(rf". 0:00:00 chat(-production-eu-west-1…|1) +{step} *$", line)
        assert len(line) <= 60 - len("^C")


def test_waiting_for_another_run_is_printed_above_the_live_lines() -> None:
    console, said = _terminal(60)
    progress = LiveProgress(console)
    progress.step("chat1", "lock: waiting for ops from 192.0.2.1 (process 7), since noon", True)
    text = " ".join(said.getvalue().split())
    assert "chat1: lock: waiting for ops from 192.0.2.1 (process 7), since noon" in text
    (line,) = _frame(progress)
    assert re.fullmatch(r". 0:00:00 chat1 lock: waiting *", line)


def test_live_progress_from_many_threads() -> None:
    console, _ = _terminal()
    with LiveProgress(console) as progress:

        def work(name: str) -> None:
            for step in ("a", "b", "c"):
                progress.step(name, step, True)
                progress.step(name, step, False)
            progress.done(name)

        threads = [threading.Thread(target=work, args=(f"chat{n % 4}",)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert progress._tasks == {}
        assert progress._progress.tasks == []


def test_no_progress_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with NoProgress() as progress:
        progress.step("chat1", "restart", True)
        progress.done("chat1")
    assert capfd.readouterr() == ("", "")

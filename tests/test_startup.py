from __future__ import annotations

import subprocess
import sys
import threading


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from scimconf import startup; {code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_paramiko_is_imported_without_invoke() -> None:
    code = "startup.skip_invoke(); import paramiko, sys; print(sys.modules['invoke'])"
    assert _python(code).stdout == "None\n"


def test_modules_are_imported_in_another_thread() -> None:
    code = (
        "import sys, threading; startup.import_in_background('colorsys', 'cmd');"
        "[each.join() for each in threading.enumerate() if each is not threading.main_thread()];"
        "print({'colorsys', 'cmd'} <= set(sys.modules))"
    )
    assert _python(code).stdout == "True\n"


def test_a_failed_import_in_the_background_is_ignored() -> None:
    before = threading.active_count()
    done = _python("startup.import_in_background('no_such_module')")
    assert (done.returncode, done.stderr) == (0, "")
    assert threading.active_count() == before


def test_leave_does_not_wait_for_threads() -> None:
    code = "import threading, time; threading.Thread(target=time.sleep, args=[600]).start();"
    assert _python(f"{code} startup.leave(3)").returncode == 3

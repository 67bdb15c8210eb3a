from __future__ import annotations

import subprocess
import sys


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


def test_leave_does_not_wait_for_threads() -> None:
    code = "import threading, time; threading.Thread(target=time.sleep, args=[600]).start();"
    assert _python(f"{code} startup.leave(3)").returncode == 3

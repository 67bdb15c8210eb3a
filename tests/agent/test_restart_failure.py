"""The causes of a failed restart, from the output of Zulip's restart-server."""

from __future__ import annotations

import pytest

from scimconf.agent import restart_failure
from scimconf.agent.child import Ended

TRACEBACK = "Traceback (most recent call last):\n"
NO_SOCKET = (
    f'{TRACEBACK}  File "/home/zulip/deployments/current/scripts/lib/supervisor.py", line 38\n'
    "FileNotFoundError: [Errno 2] No such file or directory\n"
)
CHECK_FAILED = (
    f"{TRACEBACK}subprocess.CalledProcessError: Command '['./manage.py', 'check']' returned "
    "non-zero exit status 1.\n"
)
NO_DATABASE = (
    f'{TRACEBACK}django.db.utils.OperationalError: connection to server at "127.0.0.1", port 5432 '
    "failed: Connection refused\n\tIs the server running on that host?\n"
)


@pytest.mark.parametrize(
    ("said", "why", "hint"),
    [
        (NO_SOCKET, "supervisor does not answer", "systemctl status supervisor"),
        ("unix:///var/run/supervisor.sock no such file\n", "supervisor does not", "supervisor"),
        (NO_DATABASE + CHECK_FAILED, "PostgreSQL does not answer", "systemctl status postgresql"),
        ("NameError: name 'x' is not defined\n" + CHECK_FAILED, "NameError: name 'x'", ""),
        (CHECK_FAILED, "subprocess.CalledProcessError", ""),
        ("FileNotFoundError: [Errno 2] 'x'\n", "FileNotFoundError: [Errno 2] 'x'", ""),
        ("", "it wrote nothing", ""),
    ],
)
def test_known_causes_of_a_failed_restart_are_named(said: str, why: str, hint: str) -> None:
    found = restart_failure.explain(Ended(1, "", said))
    assert found[0].startswith(why)
    assert hint in found[1]
    assert bool(found[1]) == bool(hint)

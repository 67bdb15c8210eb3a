"""Why a restart failed, as far as what it wrote tells: in words that say what to look at."""

from __future__ import annotations

import re
from typing import Tuple

from scimconf.agent.child import Ended

_POSTGRESQL = re.compile(
    r"OperationalError.*(connection to server|could not connect|connection refused)",
    re.IGNORECASE | re.DOTALL,
)
_NO_SOCKET = re.compile(
    r"FileNotFoundError|supervisor\.sock (no such file|refused connection)|\[Errno 2\]"
)
_EXCEPTION = re.compile(r"^(?!subprocess\.)[A-Za-z_][\w.]*(?:Error|Exception): .*", re.MULTILINE)
_A_COMMAND_FAILED = "subprocess.CalledProcessError:"


def explain(ended: Ended) -> Tuple[str, str]:
    """Return why a restart that ended with an error failed, and what to do next ("" if unknown).

    Zulip's restart-server tells of neither cause: without supervisord's socket 5.6 says
    "FileNotFoundError: [Errno 2]", and without PostgreSQL 9.0 says that `manage.py check` failed.
    """
    said = f"{ended.out}\n{ended.err}"
    if _POSTGRESQL.search(said):
        return "PostgreSQL does not answer", "on the server: systemctl status postgresql"
    if "supervisor" in said and _NO_SOCKET.search(said):
        hint = "on the server, as root: systemctl status supervisor"
        return "supervisor does not answer, its socket is gone", hint
    if ended.last_line.startswith(_A_COMMAND_FAILED):
        found = _EXCEPTION.findall(said)
        return (found[-1][:300] if found else ended.last_line), ""
    return ended.last_line, ""

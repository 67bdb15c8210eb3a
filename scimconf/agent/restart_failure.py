"""Explain why a restart failed, from the output of the restart command."""

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
_COMMAND_FAILED = "subprocess.CalledProcessError:"


def explain(ended: Ended) -> Tuple[str, str]:
    """Return why a restart failed, and a hint ("" if there is none).

    Zulip's restart-server does not name these causes itself. Without supervisord's socket, 5.6
    prints "FileNotFoundError: [Errno 2]". Without PostgreSQL, 9.0 says that `manage.py check`
    failed.
    """
    output = f"{ended.out}\n{ended.err}"
    if _POSTGRESQL.search(output):
        return "PostgreSQL does not answer", "on the server: systemctl status postgresql"
    if "supervisor" in output and _NO_SOCKET.search(output):
        hint = "on the server, as root: systemctl status supervisor"
        return "supervisor does not answer, its socket is gone", hint
    if ended.last_line.startswith(_COMMAND_FAILED):
        exceptions = _EXCEPTION.findall(output)
        return (exceptions[-1][:300] if exceptions else ended.last_line), ""
    return ended.last_line, ""

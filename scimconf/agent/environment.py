"""The environment of the agent and of the programs that it starts."""

from __future__ import annotations

import contextlib
import os
import pwd
from typing import Dict

USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment() -> Dict[str, str]:
    """Return the part of the environment of `su zulip -c` that Zulip needs.

    Of the login's environment, only PATH stays. The usual folders follow it, because a login
    without a shell may lack the folder of supervisorctl.
    """
    path = os.environ.get("PATH", USUAL_PATH)
    path = path if path.endswith(USUAL_PATH) else f"{path}:{USUAL_PATH}"
    found = {"PATH": path, "SHELL": "/bin/sh", "LANG": "C.UTF-8"}
    with contextlib.suppress(KeyError):  # the user may have been deleted
        me = pwd.getpwuid(os.geteuid())
        found.update(HOME=me.pw_dir, USER=me.pw_name, LOGNAME=me.pw_name)
    return found

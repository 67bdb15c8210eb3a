"""Read files, and tell where the agent keeps its own. `durable` writes them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from typing import Optional

from scimconf.agent.errors import AgentError

LIMIT = 4 * 1024 * 1024
BACKUPS = "backups"


class Missing(AgentError):
    """The file does not exist."""


def read(path: str, limit: int = LIMIT) -> bytes:
    """Return the bytes of a regular file. Raises AgentError if it is unreadable or too large."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe would wait for its writer
            raise AgentError(f"{path} is not a regular file")
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise Missing(f"there is no {path}", "is Zulip installed here?") from None
    except PermissionError:
        raise AgentError(f"{user()} may not read {path}", _hint(path)) from None
    except OSError as error:
        raise AgentError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise AgentError(f"{path} is larger than {limit} bytes")
    return data


def obstacle(path: str) -> Optional[str]:
    """Return why this user cannot replace a file and keep its owner and group; None: it can."""
    real = os.path.realpath(path)
    try:
        now = os.stat(real)
    except OSError as error:
        return f"{path} cannot be examined: {error.strerror}"
    if now.st_uid != os.geteuid():
        return f"{path} cannot be replaced by {user()}: it belongs to {_owner(now.st_uid)}"
    if now.st_gid not in {os.getegid(), *os.getgroups()}:
        return (
            f"{path} cannot be replaced by {user()}: it belongs to the group {_group(now.st_gid)}"
        )
    folder = os.path.dirname(real)
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be replaced by {user()}: the folder {folder} is not writable"
    return None


def state_folder(deployment: str) -> str:
    """Return `.scimconf` beside the folder of deployments, such as /home/zulip/.scimconf."""
    return os.path.join(os.path.dirname(os.path.dirname(deployment.rstrip("/"))), ".scimconf")


def backup_folder(deployment: str) -> str:
    """Return the folder of the backups."""
    return os.path.join(state_folder(deployment), BACKUPS)


def user() -> str:
    """Return the name of the current user."""
    return _owner(os.geteuid())


def _owner(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _hint(path: str) -> str:
    owner = "zulip"
    with contextlib.suppress(OSError):
        owner = _owner(os.stat(path).st_uid)
    return (
        f"log in as {owner}, or become it; a line for sudoers: {user()} ALL=({owner}) NOPASSWD: ALL"
    )

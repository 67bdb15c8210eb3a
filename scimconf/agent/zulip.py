"""Read facts of a Zulip deployment from its files (see Zulip's version.py and scripts/lib)."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Optional

from scimconf.agent import files
from scimconf.agent.errors import AgentError

OLDEST = 5
"""The first major version with SCIM."""

_VERSION_LINE = re.compile(r'^ZULIP_VERSION = "([^"]+)"', re.MULTILINE)
_INTERPRETERS = (".venv/bin/python3", "zulip-py3-venv/bin/python3")
"""The Python of the virtual environment: since about 10.0, and before."""


def version(deployment: str) -> str:
    """Return the version from `zulip-git-version` (a git deployment) or version.py.

    Return "" if version.py has no version. Raises AgentError if there is no Zulip.
    """
    try:
        text = files.read(os.path.join(deployment, "version.py")).decode(errors="replace")
    except AgentError:
        raise AgentError(
            f"there is no Zulip at {deployment}", "set zulip_deployment to the folder of Zulip"
        ) from None
    line = _VERSION_LINE.search(text)
    found = line.group(1) if line else ""
    with contextlib.suppress(AgentError):
        git = files.read(os.path.join(deployment, "zulip-git-version")).decode(errors="replace")
        found = git.split("\n")[0].strip() or found
    return found


def unsupported(found: str) -> Optional[str]:
    """Return why a version is not supported; None: it is."""
    number = re.match(r"[0-9]+", found)
    if not number:
        return "the version of this Zulip cannot be read"
    if int(number.group()) < OLDEST:
        return f"Zulip {found} has no SCIM: Zulip {OLDEST}.0 added it"
    return None


def answers_without_scim_config(deployment: str) -> bool:
    """Return whether SCIM answers with 401, not a traceback, if settings.py has no SCIM_CONFIG.

    Since Zulip 11.0, SCIM_CONFIG is `{}` by default.
    """
    try:
        return is_at_least(version(deployment), 11)
    except AgentError:
        return False


def is_at_least(found: str, major: int) -> bool:
    """Return whether a version is of this major release or a later one."""
    number = re.match(r"[0-9]+", found)
    return number is not None and int(number.group()) >= major


def interpreter(deployment: str) -> str:
    """Return the Python of the deployment's virtual environment. Raises AgentError."""
    for relative in _INTERPRETERS:
        path = os.path.join(deployment, relative)
        if os.access(path, os.X_OK):
            return path
    raise AgentError(f"Zulip's own Python is missing in {deployment}")


def has_client_command(deployment: str) -> bool:
    """Return whether this Zulip registers SCIM clients: it has `add_scim_client` (before 6.0)."""
    command = "zerver/management/commands/add_scim_client.py"
    return os.path.exists(os.path.join(deployment, command))

"""Facts of a Zulip deployment, read from its files (docs: Zulip's version.py, scripts/lib)."""

from __future__ import annotations

import contextlib
import os
import re

from scimconf.agent import files
from scimconf.agent.errors import AgentError

OLDEST = 5
"""The first major version with SCIM."""

_VERSION_LINE = re.compile(r'^ZULIP_VERSION = "([^"]+)"', re.MULTILINE)
_INTERPRETERS = (".venv/bin/python3", "zulip-py3-venv/bin/python3")
"""Where the virtual environment is: since about 10.0, and before."""


def version(deployment: str) -> str:
    """Give the version: a git deployment's `zulip-git-version`, else the line in version.py.

    Raises AgentError where there is no Zulip, or none with SCIM.
    """
    try:
        text = files.read(os.path.join(deployment, "version.py")).decode(errors="replace")
    except AgentError:
        raise AgentError(
            f"there is no Zulip at {deployment}", "zulip_deployment says where it is"
        ) from None
    line = _VERSION_LINE.search(text)
    found = line.group(1) if line else ""
    with contextlib.suppress(AgentError):
        git = files.read(os.path.join(deployment, "zulip-git-version")).decode(errors="replace")
        found = git.split("\n")[0].strip() or found
    return found


def unsupported(found: str) -> str:
    """Say why a version cannot be worked with; "" if it can."""
    number = re.match(r"[0-9]+", found)
    if not number:
        return "the version of this Zulip cannot be made out"
    if int(number.group()) < OLDEST:
        return f"Zulip {found} has no SCIM: it came with {OLDEST}.0"
    return ""


def answers_without_scim_config(deployment: str) -> bool:
    """Return whether SCIM answers with 401, not a traceback, where settings.py has no SCIM_CONFIG.

    Since 11.0 it is `{}` by default.
    """
    try:
        number = re.match(r"[0-9]+", version(deployment))
    except AgentError:
        return False
    return number is not None and int(number.group()) >= 11


def interpreter(deployment: str) -> str:
    """Give the Python of the deployment's virtual environment. Raises AgentError."""
    for relative in _INTERPRETERS:
        path = os.path.join(deployment, relative)
        if os.access(path, os.X_OK):
            return path
    raise AgentError(f"there is no Python of Zulip's own in {deployment}")


def has_client_command(deployment: str) -> bool:
    """Say whether SCIM clients have to be registered here: `add_scim_client`, gone since 6.0."""
    command = "zerver/management/commands/add_scim_client.py"
    return os.path.exists(os.path.join(deployment, command))

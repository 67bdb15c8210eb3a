"""Check whether an edit in a docker-zulip container would survive the next start.

The entrypoint.sh of docker-zulip writes settings.py again at every start, unless
MANUAL_CONFIGURATION=True. It also writes the secrets of its environment into zulip-secrets.conf.
Files in the container's own layer are lost with the container.
"""

from __future__ import annotations

import contextlib
import os
from typing import Dict, List, Optional

from scimconf.agent import files
from scimconf.agent.errors import AgentError

_ENTRYPOINT = "sbin/entrypoint.sh"
_MANUAL = b"MANUAL_CONFIGURATION"
_TRUE = (b"true", b"enable", b"enabled", b"yes", b"y", b"1", b"on")
"""What entrypoint.sh reads as True, in upper or lower case."""
_IMAGE_VARIABLE = b"DATA_DIR"
"""The image sets it, so each process that the container started has it in its environment."""
_GIVEN = b"SECRETS_"
_IN_FILE = "_FILE"
_MOUNTED = "zulip__"
_REBUILT = "docker-zulip writes settings.py again at every start of the container"


class Container:
    """The container that the agent runs in, if any. Tests set `root` to another folder."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._variables = self._container_variables() if self._is_docker_zulip() else None

    def loses(self, settings: str) -> Optional[str]:
        """Return why an edit of settings.py would be lost at the next start; None: it is kept."""
        if self._variables is None:
            return None
        if not self._variables:
            return f"{_REBUILT}, unless {_MANUAL.decode()}=True is set; the agent cannot check this"
        if self._variables.get(_MANUAL, b"").lower() not in _TRUE:
            return _REBUILT
        if self._is_on_volume(settings):
            return None
        return f"{settings} is part of the docker-zulip container, and is lost with it"

    def given_secrets(self) -> List[str]:
        """Return the names of the secrets that entrypoint.sh writes at every start."""
        if self._variables is None:
            return []
        given = (name.decode(errors="replace") for name in self._variables)
        names = {
            (each[: -len(_IN_FILE)] if each.endswith(_IN_FILE) else each)[len(_GIVEN) :]
            for each in given
            if each.startswith(_GIVEN.decode())
        }
        with contextlib.suppress(OSError):
            names.update(
                each[len(_MOUNTED) :]
                for each in os.listdir(os.path.join(self._root, "run/secrets"))
                if each.startswith(_MOUNTED)
            )
        return sorted(names)

    def _is_docker_zulip(self) -> bool:
        try:
            return _MANUAL in files.read(os.path.join(self._root, _ENTRYPOINT))
        except AgentError:
            return False

    def _container_variables(self) -> Dict[bytes, bytes]:
        """Return the container's environment, without the values of secrets.

        It is read from the first process that has it and that this user may read: Zulip's own
        processes run as the same user. Return {} if there is none.
        """
        proc = os.path.join(self._root, "proc")
        names: List[str] = []
        with contextlib.suppress(OSError):
            names = os.listdir(proc)
        for number in sorted(int(each) for each in names if each.isdigit()):
            found = _environment(os.path.join(proc, str(number), "environ"))
            if found and _IMAGE_VARIABLE in found:
                return {name: b"" if name.startswith(_GIVEN) else found[name] for name in found}
        return {}

    def _is_on_volume(self, path: str) -> bool:
        """Return whether a file is on a volume or bind mount, not in the container's layer."""
        try:
            return os.stat(os.path.realpath(path)).st_dev != os.stat(self._root).st_dev
        except OSError:
            return False


def _environment(path: str) -> Optional[Dict[bytes, bytes]]:
    try:
        with open(path, "rb") as file:
            pairs = (each.partition(b"=") for each in file.read().split(b"\0"))
            return {name: value for name, _, value in pairs}
    except OSError:
        return None

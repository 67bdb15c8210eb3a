"""docker-zulip: whether an edit in the container would outlive its next start.

Its entrypoint.sh writes settings.py anew at every start, unless MANUAL_CONFIGURATION=True, and the
container's own files go with it; secrets that it is given are written over what the file holds.
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
"""What entrypoint.sh takes for True, in any case."""
_OF_THE_IMAGE = b"DATA_DIR"
"""Set by the image, and so in the environment of what the container itself started."""
_GIVEN = b"SECRETS_"
_IN_FILE = "_FILE"
_MOUNTED = "zulip__"
_REBUILT = "docker-zulip writes settings.py anew at every start of the container"


class Container:
    """The container that we are in; `root`: where its files are, for tests."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._variables = self._container_variables() if self._is_docker_zulip() else None

    def lost(self, settings: str) -> str:
        """Say why an edit of settings.py would be lost at the next start; "" if it would not."""
        if self._variables is None:
            return ""
        if not self._variables:
            return f"{_REBUILT}, unless {_MANUAL.decode()}=True, which cannot be seen from here"
        if self._variables.get(_MANUAL, b"").lower() not in _TRUE:
            return _REBUILT
        if self._outlives(settings):
            return ""
        return f"{settings} is part of the docker-zulip container, and goes with it"

    def given_secrets(self) -> List[str]:
        """Give the names of the secrets that are written anew at every start."""
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
        """Give the names of what the container was started with, and of no secret its value.

        From the first process that inherited it and that we may look into: those of Zulip, which
        are zulip's as we are. Empty where there is none.
        """
        proc = os.path.join(self._root, "proc")
        names: List[str] = []
        with contextlib.suppress(OSError):
            names = os.listdir(proc)
        for number in sorted(int(each) for each in names if each.isdigit()):
            found = _environment(os.path.join(proc, str(number), "environ"))
            if found and _OF_THE_IMAGE in found:
                return {name: b"" if name.startswith(_GIVEN) else found[name] for name in found}
        return {}

    def _outlives(self, path: str) -> bool:
        """Say whether a file is on a volume or a bind mount, and not in the container's layer."""
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

"""The paths of a lab server, as this process sees them and as the server sees them."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from tests.lab.accounts import ZULIP

RELEASE = "2026-01-15-09-30-00"
NOBODY = 65534
_REAL_PLACES = {
    "etc": "/etc/zulip",
    "home": "/home/zulip",
    "ops": "/home/ops",
    "log": "/var/log/zulip",
    "run": "/run/lab",
}
PARTS = tuple(_REAL_PLACES)


@dataclass(frozen=True)
class Layout:
    """The paths of one server. If `isolated`, a mount namespace shows them at their real places."""

    folder: Path
    isolated: bool

    def outside(self, part: str, *names: str) -> Path:
        """Return the path for the process that runs the lab."""
        return self.folder.joinpath(part, *names)

    def inside(self, part: str, *names: str) -> str:
        """Return the path as the server sees it."""
        root = _REAL_PLACES[part] if self.isolated else str(self.folder / part)
        return "/".join((root, *names))

    @property
    def uid(self) -> int:
        """Zulip's user. Root without a namespace uses `nobody`: Zulip never runs as root."""
        if self.isolated:
            return ZULIP.number
        return os.geteuid() or NOBODY

    @property
    def gid(self) -> int:
        """Zulip's group."""
        if self.isolated:
            return ZULIP.number
        return os.getegid() if os.geteuid() else NOBODY

    @property
    def user(self) -> str:
        """The name of Zulip's user on the server."""
        return ZULIP.name if self.isolated else pwd.getpwuid(self.uid).pw_name

    @property
    def path(self) -> str:
        """PATH on the server. It includes `supervisorctl`."""
        system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return f"{system}:{self.inside('run', 'bin')}"

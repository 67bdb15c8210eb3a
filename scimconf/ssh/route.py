"""Where a connection goes, and with what: the inventory first, then the user's ssh_config.

ssh_config is read by the ssh program itself (`ssh -G`), which knows Include, Match and all the
rest; where there is no ssh program, there is no ssh_config either.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import HostError
from scimconf.foreign import one_line
from scimconf.model import Connection

_DEFAULTS = {
    "identityfile": ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"],
    "userknownhostsfile": ["~/.ssh/known_hosts"],
    "globalknownhostsfile": ["/etc/ssh/ssh_known_hosts"],
}
_SSH_TIMEOUT = 30.0
"""Seconds; a `Match exec` in ssh_config can take a while."""


@dataclass(frozen=True, slots=True)
class Route:
    """A server's address, and what the user's configuration says about it."""

    host: str
    port: int
    user: str
    name: str
    """Under which known_hosts files know the server: its host, `[host]:port`, or an alias."""
    known_hosts: tuple[str, ...]
    """Files in the order in which they are searched; a new key goes into the first."""
    identity_file: str | None
    """The private key that the inventory names: only this one is tried."""
    identity_files: tuple[str, ...]
    """Where keys may be, if the inventory names none."""
    identities_only: bool
    """Whether keys that only the ssh agent has are left out."""
    ssh_agent: str | None
    """The socket of the ssh agent."""
    timeout: float
    """Seconds for the connection to stand, and again for logging in."""


def find_route(connection: Connection) -> Route:
    """Give the way to a server. Raises HostError if ssh_config cannot be used for it."""
    return resolve(connection, _ask_ssh(connection))


def _ask_ssh(connection: Connection) -> dict[str, list[str]]:
    ssh = shutil.which("ssh")
    if ssh is None:
        return {}
    argv = [ssh, "-G"]
    if connection.port is not None:
        argv += ["-p", str(connection.port)]
    if connection.user is not None:
        argv += ["-l", connection.user]
    try:
        done = subprocess.run(
            [*argv, "--", connection.host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SSH_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(
            "connect",
            f"`ssh -G {connection.host}` was not done after {_SSH_TIMEOUT:.0f} s",
            "does a `Match exec` in your ssh_config wait for something?",
        ) from error
    if done.returncode != 0:
        raise HostError(
            "connect",
            f"ssh cannot read its configuration for {connection.host}: {one_line(done.stderr)}",
            f"try: ssh -G {connection.host}",
        )
    return parse(done.stdout.decode("utf-8", "replace"))


def parse(text: str) -> dict[str, list[str]]:
    """Read the output of `ssh -G`: a keyword in lower case, a blank, its value; some repeat."""
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        settings.setdefault(keyword.lower(), []).append(value.strip())
    return settings


def resolve(connection: Connection, settings: dict[str, list[str]]) -> Route:
    """Put the inventory's words over those of ssh_config (`parse`). Pure but for the home folder.

    Raises HostError for a ProxyJump or ProxyCommand.
    """
    settings = {**_DEFAULTS, **settings}

    def one(keyword: str) -> str | None:
        value = settings.get(keyword, [""])[0]
        return None if value.lower() in ("", "none") else value

    proxy = one("proxyjump") or one("proxycommand")
    if proxy:
        raise HostError(
            "connect",
            f"ssh_config sends {connection.host} through another host or program ({proxy}), "
            "which scimconf cannot do yet",
            "run scimconf where it reaches the server directly",
        )
    host = one("hostname") or connection.host
    port = connection.port or int(one("port") or 22)
    user = connection.user or one("user") or getpass.getuser()

    def path(value: str) -> str:
        tokens = {"%": "%", "h": host, "r": user, "d": str(Path.home()), "u": getpass.getuser()}
        value = re.sub(r"%([%hrdu])", lambda found: tokens[found[1]], value)
        return os.path.expanduser(value)

    name = one("hostkeyalias") or (host if port == 22 else f"[{host}]:{port}")
    files = [
        word
        for key in ("userknownhostsfile", "globalknownhostsfile")
        for value in settings[key]
        for word in value.split()
    ]
    return Route(
        host=host,
        port=port,
        user=user,
        name=name.lower(),
        known_hosts=tuple(path(word) for word in files if word != "none"),
        identity_file=path(connection.private_key) if connection.private_key else None,
        identity_files=tuple(path(word) for word in settings["identityfile"]),
        identities_only=one("identitiesonly") == "yes",
        ssh_agent=_ssh_agent(settings.get("identityagent", ["SSH_AUTH_SOCK"])[0], path),
        timeout=max(connection.timeout, float(one("connecttimeout") or 0)),
    )


def _ssh_agent(value: str, path: Callable[[str], str]) -> str | None:
    if value == "none":
        return None
    if value == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK")
    if value.startswith("$"):
        return os.environ.get(value[1:])
    return path(value)

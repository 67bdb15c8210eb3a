"""A server for one fault: a small Zulip that belongs to the agent's user, and its state."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import getpass
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from scimconf.agent import probe, secrets_edit, secrets_file, settings_edit
from scimconf.agent.gate import wrong_token
from scimconf.agent.probe import WebServer
from tests.agent.fake import SECRETS, SETTINGS, Zulip, entry, web_server

OLD, NEW = "old-token-of-acme-0123456789", "new-token-of-beta-0123456789"
BY_HAND = b"# by hand\n"
USER = "nobody" if os.geteuid() == 0 else getpass.getuser()
"""The user of the agent, which refuses to run as root."""

Pair = tuple[bytes, bytes]


class Machine:
    """Zulip 5.6 with realm acme in force. The change removes acme and adds beta.

    That change needs every step: each realm has its token in zulip-secrets.conf, and a client.
    """

    def __init__(self, folder: Path, ending: contextlib.ExitStack) -> None:
        self.folder = folder
        self.ending = ending
        self.restart_timeout = 20.0
        self.zulip = zulip = Zulip(folder / "server", "5.6", python=python())
        self.behave()
        before = settings_edit.edit(SETTINGS.encode(), {"acme": _entry("acme")})
        secrets = secrets_edit.edit(SECRETS.encode(), {_secret("acme"): OLD})
        zulip.settings.write_bytes(before)
        zulip.secrets.write_bytes(secrets)
        zulip.run_with(acme=OLD)
        zulip.register([["acme", "okta"]])
        both = secrets_edit.edit(secrets, {_secret("beta"): NEW})
        after = settings_edit.edit(before, {"acme": None, "beta": _entry("beta")})
        self.old: Pair = before, secrets
        self.new: Pair = after, secrets_edit.edit(both, {}, [_secret("acme")])
        self.between: tuple[Pair, ...] = (before, both), (after, both)
        """The files between two steps. A run that ends there must report it."""
        own(folder)

    def behave(self, **how: Any) -> None:
        """Set how the scripts and the web server fail; without arguments, they work."""
        self.zulip.behave(wants_clients=True, **how)

    def flag(self, name: str, text: str = "") -> None:
        """Create a file that the agent's hooks look for."""
        path = self.zulip.root / name
        path.write_text(text)
        own(path)

    def request(self) -> dict[str, Any]:
        """Return the request of a controller that has just observed the server."""
        settings, secrets = (hashlib.sha256(data).hexdigest() for data in self.zulip.pair())
        gate = {"beta": {"host": "beta.chat.test", "token": NEW}}
        gate["acme"] = {"host": "acme.chat.test", "token": None}  # type: ignore[dict-item]
        return {
            "do": "apply",
            "paths": self.zulip.paths(),
            "probe": self.zulip.base,
            "expect": {"settings_sha256": settings, "secrets_sha256": secrets},
            "entries": {"acme": None, "beta": _entry("beta")},
            "wanted": {
                "acme": None, "beta": {"bearer_token": NEW, "scim_client_name": "okta"}
            },
            "secrets": {"set": {_secret("beta"): NEW}, "remove": [_secret("acme")]},
            "clients": {"add": [["beta", "okta"]], "remove": [["acme", "okta"]]},
            "restart": [str(self.zulip.deployment / "scripts/restart-server")],
            "restart_timeout": self.restart_timeout,
            "gate": gate,
            "gate_timeout": 0.3,
        }  # fmt: skip

    # --- its state ----------------------------------------------------------------------------

    def state(self) -> str:
        """Return which pair of files the server has: "old", "new", "between", or "" for none.

        A line that was added by hand is ignored.
        """
        settings, secrets = self.pair()
        pair = settings.removesuffix(BY_HAND), secrets
        known = {self.old: "old", self.new: "new", **dict.fromkeys(self.between, "between")}
        return known.get(pair, "")

    def pair(self) -> Pair:
        """Return both files, even if a fault has made one unreadable."""
        path = self.zulip.settings
        if os.access(path, os.R_OK):
            return self.zulip.pair()
        mode = path.stat().st_mode & 0o777
        path.chmod(mode | 0o400)
        try:
            return self.zulip.pair()
        finally:
            path.chmod(mode)

    def in_force(self) -> str:
        """Ask SCIM for both realms. Return "old", "new", "" for neither, or "both" (an error)."""
        server = _Impatient(self.zulip.base)
        asked = (("old", "acme", OLD), ("new", "beta", NEW))
        found = [
            name for name, realm, token in asked
            if server.users(f"{realm}.chat.test", token) == 200
        ]  # fmt: skip
        for _, realm, _ in asked:
            for token in ("None", wrong_token()):
                assert server.users(f"{realm}.chat.test", token) != 200
        return "both" if len(found) == 2 else "".join(found)

    def dangling(self) -> list[str]:
        """Return the secrets that settings.py refers to but zulip-secrets.conf does not have.

        For such a secret, Zulip would read None, and accept "Bearer None".
        """
        settings, secrets = self.pair()
        named = re.findall(rb'get_secret\("(scim_[a-z_]+)"\)', settings)
        known = secrets_file.read(secrets)
        return [name.decode() for name in named if name.decode() not in known]

    def litter(self) -> list[str]:
        """Return the files that no run may leave."""
        found = self.zulip.litter()
        for path in self.zulip.state.rglob("*"):
            name = path.relative_to(self.zulip.state).as_posix()
            if name not in ("lock", "journal.json", "backups") and ".scimconf-" in name:
                found.append(name)
        return found

    def processes(self) -> list[str]:
        """Return the programs that still run for this server."""
        found = []
        for folder in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path("/proc", folder, "cmdline").read_bytes().replace(b"\0", b" ").decode()
                where = os.readlink(f"/proc/{folder}/cwd")
                if str(self.zulip.root) in f"{words} {where}":
                    found.append(words)
        return found

    def locked(self) -> bool:
        """Return whether the lock is held."""
        try:
            with open(self.zulip.state / "lock") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def journal(self) -> str:
        """Return the state in the journal; "" if there is no journal."""
        path = self.zulip.state / "journal.json"
        return str(json.loads(path.read_text())["state"]) if path.exists() else ""


class _Impatient(WebServer):
    """Ask with a short time limit, because the web server may never answer."""

    def status(self, host: str, path: str, token: str | None = None) -> int | None:
        with mock.patch.object(probe, "SECONDS", 0.5):
            return super().status(host, path, token)


@contextlib.contextmanager
def machine(disk: str = "") -> Iterator[Machine]:
    """Yield a server with its own web server and folder, and remove it afterwards.

    `disk`: the options of a tmpfs for the folder (root only).
    """
    folder = Path(tempfile.mkdtemp(prefix="scimconf-fault-"))
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder)
        if disk:
            mount(ending, "-t", "tmpfs", "-o", disk, "none", str(folder))
        folder.chmod(0o755)
        made = Machine(folder, ending)
        made.zulip.base, _ = ending.enter_context(web_server(made.zulip))
        yield made


def mount(ending: contextlib.ExitStack, *words: str) -> None:
    """Mount until the stack is closed."""
    subprocess.run(["mount", *words], check=True, capture_output=True)
    ending.callback(subprocess.run, ["umount", "-l", words[-1]], check=True, capture_output=True)


def own(path: Path) -> None:
    """Change the owner of a path, and of everything below it, to the agent's user."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        for each in (path, *path.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid, follow_symlinks=False)


@functools.cache
def python() -> str:
    """Return a Python that the agent's user can start: it may have no access to root's."""
    here = os.path.realpath(sys.executable)
    for found in (here, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        options = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            if found and subprocess.run(
                [found, "-I", "-c", "import ssl, json"], check=True, capture_output=True, cwd="/",
                **(options if os.geteuid() == 0 else {}),
            ):  # fmt: skip
                return found
    raise RuntimeError(f"no Python here can be started by {USER}")


def _secret(realm: str) -> str:
    return f"scim_bearer_token_{realm}"


def _entry(realm: str) -> str:
    return entry(realm, f'get_secret("{_secret(realm)}")')

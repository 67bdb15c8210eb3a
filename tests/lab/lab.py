"""The lab: Zulip servers on loopback, in a temporary folder that is deleted at the end."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, TypeVar

from tests.lab import interpreter, openssh
from tests.lab.build import build
from tests.lab.certificates import Authority, ssh_key
from tests.lab.idp import Mini
from tests.lab.layout import Layout
from tests.lab.options import Identity, Options
from tests.lab.profiles import PROFILES
from tests.lab.server import Server

Provider = TypeVar("Provider", bound=Mini)
DNS = Path(__file__).parent / "dns"
PROJECT = Path(__file__).resolve().parents[2]


class Lab:
    """A context manager that starts servers and stops them. `server` may run in several threads."""

    def __init__(self, folder: Path | None = None) -> None:
        """Prepare a lab whose temporary folder is in `folder`; None is the system's default."""
        self._parent = folder
        self._ending = contextlib.ExitStack()
        self._lock = threading.Lock()
        self.openssh = openssh.find()
        self.isolates = os.geteuid() == 0 and can_isolate()
        self._borrowed: interpreter.Interpreter | None = None
        self.servers: dict[str, Server] = {}

    def __enter__(self) -> Lab:
        """Create the folder, the certificate authority and the client's SSH key."""
        self.folder = Path(tempfile.mkdtemp(prefix="scimconf-lab-", dir=self._parent))
        self._ending.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)  # the servers' users need access
        self._authority = Authority()
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(self._authority.pem())
        self._home = self.folder / "controller"
        (self._home / ".ssh").mkdir(mode=0o700, parents=True)
        self.known_hosts = self._home / ".ssh/known_hosts"
        self.known_hosts.touch(0o600)
        self.client_key = self._home / ".ssh/id_ed25519"
        self._authorized_key = ssh_key(self.client_key, "scimconf-lab")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop every server and delete the folder."""
        self._ending.close()

    def server(self, name: str, **options: Any) -> Server:
        """Start a server with the options of `options.Options`. Return when it answers.

        `name` ends in `.test`. Raise LabError if the server does not start.
        """
        wanted = Options(**options)
        profile = PROFILES[wanted.version]
        ssh = self.openssh if wanted.sshd and self.has_ssh else None
        layout = Layout(self._new_folder(name), isolated=self.isolates and ssh is not None)
        web_socket, ssh_socket = _listener(), _listener() if ssh else None
        server = Server(
            name, wanted.version, layout, web_socket, ssh_socket, self.ca, self.client_key
        )
        names = [name, f"*.{name}", *wanted.realm_hosts.values()]
        identity = Identity(
            name, server.external_host, self._authority.issue(names), self._authorized_key
        )
        config = build(layout, identity, wanted, profile, self._interpreter(layout), ssh)
        if ssh:
            public = ssh_key(layout.outside("run", "host_key"), name)
            with self._lock, self.known_hosts.open("a") as known:
                known.write(f"[127.0.0.1]:{server.ssh_port} {public}\n")
        server.start(config)
        with self._lock:
            self._ending.callback(server.stop)
            self.servers[name] = server
        return server

    def _new_folder(self, name: str) -> Path:
        """Make the folder of a server. One that has stopped may have had the same name."""
        names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
        folder = next(path for each in names if not (path := self.folder / each).exists())
        folder.mkdir()
        return folder

    @property
    def has_ssh(self) -> bool:
        """Return whether servers can have an sshd. As root, that needs a mount namespace."""
        return self.openssh is not None and (self.isolates or os.geteuid() != 0)

    def _interpreter(self, layout: Layout) -> interpreter.Interpreter:
        if layout.isolated or layout.uid == os.geteuid():
            return interpreter.current()
        with self._lock:
            if self._borrowed is None:
                self._borrowed = interpreter.usable_by(layout.uid, self.folder / "packages")
            return self._borrowed

    def identity_provider(self, kind: type[Provider]) -> Provider:
        """Return a miniature identity provider of this kind, to be used in a `with` block."""
        return kind(self.ca, self._authority.issue(kind.names), self.folder)

    def environment(self) -> dict[str, str]:
        """Return the environment for a `scimconf` process: home, known hosts, DNS."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SCIMCONF_") and name != "SSH_AUTH_SOCK"
        }
        path = [str(DNS), str(PROJECT), os.environ.get("PYTHONPATH", "")]
        inherited["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        inherited["HOME"] = str(self._home)
        # ssh takes ~ from the user database, not from HOME.
        inherited["SCIMCONF_KNOWN_HOSTS"] = str(self.known_hosts)
        if not self.has_ssh:
            inherited["SCIMCONF_ALLOW_EXEC"] = "local"
        return inherited


def can_isolate() -> bool:
    """Return whether this process may create mount namespaces (not root in a plain container)."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    probe = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _listener() -> socket.socket:
    """Listen on a free loopback port. The socket is passed on, so nobody else can take the port."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)

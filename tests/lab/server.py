"""A Zulip server of the lab, for tests."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.accounts import ACCOUNTS
from tests.lab.build import environment
from tests.lab.layout import Layout

INSIDE = Path(__file__).parent / "inside"
START_TIMEOUT = 60.0


class LabError(Exception):
    """The lab failed: a server did not start, or does not answer."""


@dataclass(frozen=True)
class Files:
    """The paths of Zulip, as the server sees them."""

    settings: str
    secrets: str
    deployment: str
    user: str


class Server:
    """A running server, created by `Lab.server`.

    `settings`, `secrets`, `deployment` and `logs` are paths for this process. `paths` has the
    same paths as the server sees them.
    """

    def __init__(
        self,
        name: str,
        version: str,
        layout: Layout,
        web: socket.socket,
        ssh: socket.socket | None,
        ca: Path,
        client_key: Path,
    ) -> None:
        self.name = name
        self.version = version
        self.layout = layout
        self.web_port: int = web.getsockname()[1]
        self.ssh_port: int | None = ssh.getsockname()[1] if ssh else None
        self.external_host = f"{name}:{self.web_port}"
        self.settings = layout.outside("etc", "settings.py")
        self.secrets = layout.outside("etc", "zulip-secrets.conf")
        self.deployment = layout.outside("home", "deployments", "current")
        self.logs = layout.outside("log")
        self.user = layout.user
        self.paths = Files(
            settings=layout.inside("etc", "settings.py"),
            secrets=layout.inside("etc", "zulip-secrets.conf"),
            deployment=layout.inside("home", "deployments", "current"),
            user=layout.user,
        )
        self._sockets = [one for one in (web, ssh) if one]
        self._web_fd = web.fileno()
        self._ssh_fd = ssh.fileno() if ssh else -1
        self._ca = ca
        self._client_key = client_key
        self._process: subprocess.Popen[bytes] | None = None

    # --- start and stop -----------------------------------------------------------------------

    def start(self, config: Path) -> None:
        """Start the server. Return when the web server and sshd answer. Raise LabError if not."""
        namespaces = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc"]
        argv = [sys.executable, "-I", "-S", str(INSIDE), str(config)]
        with open(self.layout.folder / "init.log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    *(namespaces if self.layout.isolated else []),
                    *(*argv, str(self._web_fd), str(self._ssh_fd)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[one.fileno() for one in self._sockets],
                start_new_session=True,
            )
        for one in self._sockets:
            one.close()
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT)
        said = self._process.stdout.readline().decode().strip() if ready else "no answer"
        if said != "ready":
            self.stop()
            raise LabError(f"{self.name} did not start: {said}\n{self._tail()}")

    def stop(self) -> None:
        """Stop the server and every process that it started."""
        if self._process is None:
            return
        try:
            self._process.communicate(b"end", timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._process = None

    def mailed(self) -> int:
        """Return how many requests so far were errors that Zulip mails to its administrators."""
        log = self.logs / "errors.log"
        text = log.read_text() if log.exists() else ""
        return len(re.findall(r"^\S+ \S+ ERROR \[django\.request\]", text, re.MULTILINE))

    @contextlib.contextmanager
    def without_database(self) -> Iterator[None]:
        """Stop PostgreSQL during the `with` block."""
        flag = self.layout.outside("run", "var", "zulip.sqlite3-is-stopped")
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()

    @contextlib.contextmanager
    def without_supervisor(self) -> Iterator[None]:
        """Remove supervisord's socket during the `with` block."""
        path = self.layout.outside("run", "supervisor.sock")
        path.rename(path.with_suffix(".gone"))
        try:
            yield
        finally:
            path.with_suffix(".gone").rename(path)

    def restart(self) -> None:
        """Restart Zulip with its own script. Raise LabError if that fails."""
        done = self.run([f"{self.paths.deployment}/scripts/restart-server"])
        if done.returncode != 0:
            raise LabError(f"restart-server: exit {done.returncode}\n{done.stderr}")

    def _tail(self) -> str:
        logs = [self.layout.folder / "init.log", *sorted(self.logs.glob("*.log"))]
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}"
            for log in logs
            if log.exists() and log.stat().st_size
        )

    # --- requests -----------------------------------------------------------------------------

    def host(self, realm: str = "") -> str:
        """Return the host name of a realm, with the port."""
        return f"{realm}.{self.external_host}" if realm else self.external_host

    def url(self, realm: str = "") -> str:
        """Return the URL of a realm, without a slash at the end."""
        return f"https://{self.host(realm)}"

    def request(
        self,
        method: str,
        path: str,
        realm: str = "",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        host: str | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send a request to the web server. Return status, headers and body.

        `host` is a Host header of no realm. The certificate is then checked against the name of
        the server.
        """
        context = ssl.create_default_context(cafile=str(self._ca))
        name = (host and self.name) or self.host(realm).rpartition(":")[0]
        sent = {"Host": host or self.host(realm), **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        raw = socket.create_connection(("127.0.0.1", self.web_port), timeout=30)
        with context.wrap_socket(raw, server_hostname=name) as secure:
            connection = http.client.HTTPConnection("127.0.0.1", self.web_port)
            connection.sock = secure
            connection.request(method, path, body=body, headers=sent)
            with connection.getresponse() as response:
                return response.status, response.headers, response.read()

    def run(
        self,
        argv: Sequence[str],
        user: str | None = None,
        input: str | None = None,  # noqa: A002  # as subprocess.run calls it
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the server, as Zulip's user ("zulip", None) or as another user."""
        name = self.user if user in (None, "zulip") else user
        identity, home = self._identity(name)
        env = {**environment(self.layout), "HOME": home, "USER": name, "LOGNAME": name}
        options: dict[str, Any] = {"env": env, "input": input, "capture_output": True}
        options |= {"text": True, "timeout": 120, "check": False}
        if not self.layout.isolated:
            if os.geteuid() == 0 and identity != (0, 0):
                options |= {"user": identity[0], "group": identity[1], "extra_groups": []}
            return subprocess.run(list(argv), **options)
        enter = ["nsenter", "--target", str(self._first_process()), "--mount", "--uts", "--pid"]
        enter += ["--setuid", str(identity[0]), "--setgid", str(identity[1]), "--"]
        return subprocess.run([*enter, *argv], **options)

    def _identity(self, user: str) -> tuple[tuple[int, int], str]:
        if self.layout.isolated and user in ACCOUNTS:
            account = ACCOUNTS[user]
            return (account.number, account.number), account.home
        if user == self.user:
            return (self.layout.uid, self.layout.gid), self.layout.inside("home")
        if user == "root" and os.geteuid() == 0:
            return (0, 0), "/root"
        raise LabError(f"{self.name} has no user {user}")

    def _first_process(self) -> int:
        """Return the process id that the server's process 1 has outside of its namespace."""
        assert self._process is not None
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = Path(f"/proc/{entry}/stat").read_text()
                except OSError:
                    continue
                if int(stat.rpartition(")")[2].split()[1]) == self._process.pid:
                    return int(entry)
        raise LabError(f"{self.name} is not running")

    # --- for an inventory ---------------------------------------------------------------------

    def inventory_vars(self) -> dict[str, Any]:
        """Return the inventory variables that scimconf needs to reach the server."""
        variables: dict[str, Any] = {
            "ansible_host": "127.0.0.1",
            "zulip_external_host": self.external_host,
            "zulip_settings": self.paths.settings,
            "zulip_secrets": self.paths.secrets,
            "zulip_deployment": self.paths.deployment,
            "zulip_user": self.user,
            "scim_probe": f"https://127.0.0.1:{self.web_port}",
            "scim_ca": str(self._ca),
        }
        if self.ssh_port is None:
            return {**variables, "ansible_connection": "local"}
        return {
            **variables,
            "ansible_port": self.ssh_port,
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self._client_key),
        }

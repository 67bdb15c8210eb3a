"""The servers for all tools: small Zulips behind one sshd on loopback.

Each target has its own address (127.x.y.z), so no tool can share a connection between two targets.
It also has its own settings.py (as long as Zulip's), zulip-secrets.conf and deployment. There is no
web server: gates are off, and the restart is `true`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.agent.fake import Zulip
from tests.lab import accounts, interpreter, openssh
from tests.lab.certificates import ssh_key

LAB = Path(interpreter.__file__).parent
FIRST_ADDRESS = ipaddress.IPv4Address("127.1.0.1")
MOST = 1000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 30.0


@dataclass(frozen=True)
class Target:
    """One server: an address and a Zulip."""

    name: str
    address: str
    zulip: Zulip
    deployment: str
    """Its name in the token file."""

    @property
    def python(self) -> str:
        """The Python of its deployment. It runs the agent and Ansible's modules."""
        return str(self.zulip.deployment / ".venv/bin/python3")


class Targets:
    """A context manager that creates `count` Zulips and an sshd, and deletes them at the end."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._python = interpreter.current()
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Targets:
        """Create the Zulips and start sshd. Raise RuntimeError if sshd is missing or fails."""
        with contextlib.ExitStack() as stack:
            self.folder = Path(tempfile.mkdtemp(prefix="scimconf-bench-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.folder.chmod(0o755)  # Zulip's user needs access
            self._lay_out()
            self._start_sshd(stack)
            self._ending = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def at(self, count: int) -> Sequence[Target]:
        """Return `count` targets with different addresses. They share Zulips if there are fewer."""
        found = []
        for n in range(count):
            zulip = self._zulips[n % self._count]
            found.append(Target(f"h{n}", str(FIRST_ADDRESS + n), zulip, zulip.root.name))
        return found

    def cpu(self) -> float:
        """Return the CPU time that all servers have used so far, in seconds."""
        parents: dict[int, int] = {}
        used: dict[int, int] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    parents[int(entry)] = int(words[1])
                    used[int(entry)] = sum(map(int, words[11:15]))  # with children that have ended
        ours = {self._process.pid}
        while more := {each for each, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return sum(used.get(each, 0) for each in ours) / os.sysconf("SC_CLK_TCK")

    @property
    def addresses(self) -> Sequence[str]:
        """Return the addresses of the largest number of targets that a line uses."""
        return [str(FIRST_ADDRESS + n) for n in range(MOST)]

    def trust(self, *more_ports: int) -> None:
        """Write known_hosts for all addresses, with the port of sshd and these."""
        self.known_hosts.write_text(
            "".join(
                f"[{address}]:{port} {self.host_key}\n"
                for port in (self.port, *more_ports)
                for address in self.addresses
            )
        )

    def _lay_out(self) -> None:
        template = (LAB / "settings.py.template").read_text()
        self._zulips = [
            Zulip(
                self.folder / f"zulip{n}",
                settings=template.replace("@EXTERNAL_HOST@", f"h{n}.test"),
            )
            for n in range(self._count)
        ]
        for zulip in self._zulips:  # a virtual environment with the packages that Zulip imports
            shutil.rmtree(zulip.deployment / ".venv")
            interpreter.make_virtualenv(zulip.deployment / ".venv", self._python)
        self.controller = self.folder / "controller"
        (self.controller / ".ssh").mkdir(mode=0o700, parents=True)
        self.known_hosts = self.controller / ".ssh/known_hosts"
        self.client_key = self.controller / ".ssh/id_ed25519"
        public = ssh_key(self.client_key, "scimconf-bench")
        (self.folder / "authorized_keys").write_text(f"{public}\n")
        self.host_key = ssh_key(self.folder / "host_key", "").strip()
        if os.geteuid() == 0:
            for zulip in self._zulips:
                _give(zulip.root, accounts.ZULIP.number)

    @property
    def user(self) -> str:
        """The user who logs in: Zulip's user."""
        return accounts.ZULIP.name if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def _start_sshd(self, stack: contextlib.ExitStack) -> None:
        found = openssh.find()
        if found is None:
            raise RuntimeError("there is no sshd: make sshd")
        self.port = _free_port()
        lines = [
            # All of loopback, and nothing else: sshd accepts at most 16 ListenAddress lines.
            f"ListenAddress 0.0.0.0:{self.port} rdomain lo",
            f'HostKey "{self.folder}/host_key"',
            f'AuthorizedKeysFile "{self.folder}/authorized_keys"',
            "StrictModes no",
            "UsePAM no",
            "UseDNS no",
            "PasswordAuthentication no",
            "PidFile none",
            "LogLevel ERROR",
            "MaxStartups 1000",
            "Subsystem sftp internal-sftp",
            *([] if os.geteuid() == 0 else [f'SetEnv "HOME={self.folder}"']),
            *found.config,
        ]
        config = self.folder / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        people = (accounts.ZULIP, accounts.OPS)
        plan = {
            "isolated": {
                "hostname": "bench.test",
                # pyinfra runs awk. On Debian, awk is a link into this folder.
                "bind": {each: each for each in ("/etc/alternatives",) if os.path.isdir(each)},
                "etc": accounts.etc("bench.test", None, "", PATH),
                "keep": list(self._python.needs),
            }
            if os.geteuid() == 0
            else None,
            "isolation": str(LAB / "inside"),
            "homes": {each.home: each.number for each in people},
            "argv": [str(found.sshd), "-D", "-e", "-f", str(config)],
            "environment": dict(found.environment),
            "log": str(self.folder / "sshd.log"),
        }
        plan_file = self.folder / "plan.json"
        plan_file.write_text(json.dumps(plan))
        unshare = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        process = subprocess.Popen(
            [
                *(unshare if os.geteuid() == 0 else []),
                *(sys.executable, "-I", str(Path(__file__).with_name("inside.py")), str(plan_file)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        stack.callback(process.communicate)
        self._process = process
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n" or not _answers(self.port):
            log = self.folder / "sshd.log"
            raise RuntimeError(f"sshd did not start: {log.read_text() if log.exists() else ''}")
        self.trust()


def _give(root: Path, number: int) -> None:
    for folder, _, files in os.walk(root):
        os.chown(folder, number, number)
        for name in files:
            os.chown(Path(folder, name), number, number, follow_symlinks=False)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as to:
            return to.recv(4) == b"SSH-"
        time.sleep(0.02)
    return False

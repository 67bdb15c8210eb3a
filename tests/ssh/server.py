"""Real sshds for the tests of scimconf/ssh, with their own users and sudo rules.

tests/lab has correct Zulip servers; the servers here have unusual accounts.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from passlib.hash import sha512_crypt

from scimconf.consent import EVERYTHING
from scimconf.model import Connection, Paths
from scimconf.ssh.session import Options
from tests.factories import connection
from tests.lab import openssh

PASSWORD = "correct horse battery staple"
PATHS = Paths(
    settings="/etc/zulip/settings.py",
    secrets="/etc/zulip/zulip-secrets.conf",
    deployment="/home/zulip/deployments/current",
    user="zulip",
)
HERE = pwd.getpwuid(os.geteuid() or 65534).pw_name
"""The user that runs the tests. For root it is nobody, because the agent never runs as root."""
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
"""A Python that every user can start."""
PATHS_HERE = replace(PATHS, user=HERE)
"""The paths on a machine without a user zulip."""
ACCOUNTS = {
    "zulip": "",
    "free": "free ALL=(zulip) NOPASSWD: ALL",
    "asked": "asked ALL=(zulip) ALL",
    "pty": "Defaults:pty use_pty\npty ALL=(zulip) ALL",
    "tty": "Defaults:tty requiretty\ntty ALL=(zulip) NOPASSWD: ALL",
    "ls": "ls ALL=(zulip) NOPASSWD: /bin/ls",
    "boss": "boss ALL=(root) NOPASSWD: ALL",
    "stranger": "",
    "chatty": "",
    "mute": "",
    "false": "",
    "odd": "",
    "lost": "Defaults:lost runcwd=/srv/nowhere\nlost ALL=(zulip) NOPASSWD: ALL",
    "CORP\\alice": "CORP\\\\alice ALL=(zulip) NOPASSWD: ALL",
    "first.last$": "first.last$ ALL=(zulip) ALL",
}
"""Login name -> its lines in sudoers."""
_BASHRC = r"""
echo "Welcome to the machine"; echo "mind the gap" >&2
printf 'no newline here: '
"""


ROOTS_SUDO_RS = "/run/roots/sudo-rs"
"""A stand-in for sudo-rs."""
WRITABLE_SUDO = "/run/writable/sudo"
OWN_SUDO = "/run/own/sudo"
"""Programs that users other than root can replace. They leave STOLEN."""
LINK_TO_SUDO = "/home/free/sudo"
"""A link of the user free to root's sudo."""
STOLEN = "/tmp/scimconf-test-stolen"
_SUDO_RS = Path(__file__).parents[1] / "lab/standins/sudo_rs.py"
_THIEF = f"#!/bin/sh\necho >{STOLEN}\n"
_SHELLS = {
    "mute": "/usr/sbin/nologin",
    "false": "/bin/false",
    "chatty": "/bin/bash",
    "odd": "/home/odd/shell",
}
_SHELL = r"""#!/usr/bin/python3 -I
# An unknown login shell: it understands only spaces and single quotes.
import os, re, sys
assert sys.argv[1] == "-c" and len(sys.argv) == 3
assert re.fullmatch(r"(?:'[^'\\!\n]*' ?)+", sys.argv[2])
words = re.findall(r"'([^']*)'", sys.argv[2])
os.execvp(words[0], words)
"""


@dataclass(frozen=True)
class Server:
    """An sshd on loopback."""

    port: int
    folder: Path
    address: str
    accounts: bool
    """Return whether it has ACCOUNTS (as root), or only the user that runs the tests."""

    @property
    def key(self) -> Path:
        return self.folder / "user_key"

    @property
    def host_key(self) -> str:
        return (self.folder / "host_key.pub").read_text().rpartition(" ")[0]

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def options(self) -> Options:
        return Options(
            known_hosts=(str(self.known_hosts),), start_timeout=20, allow_exec=EVERYTHING
        )

    def connection(self, user: str | None = None, **changes: object) -> Connection:
        """Return the connection with the right key. `user` is by default the user of the tests."""
        who = user or pwd.getpwuid(os.geteuid()).pw_name
        known = {"host": self.address, "port": self.port, "private_key": str(self.key)}
        return connection(**{**known, "user": who, "timeout": 15.0, **changes})


class RunningServer:
    """Start and end a Server. Nothing of it is left, however the tests end."""

    def __init__(
        self,
        folder: Path,
        lines: Sequence[str] = (),
        pam: str | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        found = openssh.find()
        if found is None:
            pytest.skip("needs OpenSSH's sshd")
        as_root = os.geteuid() == 0 and openssh.has_sudo()
        for name in "host_key", "user_key":
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / name],
                check=True,
            )
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, 0), family=family, backlog=128)
        self.server = Server(listener.getsockname()[1], folder, address, as_root)
        self.server.known_hosts.write_text(
            f"[{address}]:{self.server.port} {self.server.host_key}\n"
        )
        keys = "/run/test_keys" if as_root else str(folder / "authorized_keys")
        public = (folder / "user_key.pub").read_text()
        if not as_root:
            Path(keys).write_text(public)
        config = [
            *lines,  # first, since sshd takes the first value of each option
            f'HostKey "{folder}/host_key"',
            f'AuthorizedKeysFile "{keys}"',
            "StrictModes no",
            "UseDNS no",
            f"UsePAM {'yes' if as_root else 'no'}",
            "PermitRootLogin yes",
            *found.config,
        ]
        (folder / "sshd_config").write_text("\n".join(config) + "\n")
        plan = {
            "root": _root(public, pam) if as_root else None,
            "sshd": {
                "argv": [str(found.sshd), "-i", "-e", "-f", str(folder / "sshd_config")],
                "environment": dict(found.environment),
                "log": str(folder / "sshd.log"),
            },
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        unshare = ["unshare", "-m", "-u", "-p", "-f", "--kill-child", "--mount-proc"]
        self._process = subprocess.Popen(
            [
                *(unshare if as_root else []),
                PYTHON,
                Path(__file__).with_name("inside.py"),
                folder / "plan.json",
                str(listener.fileno()),
            ],
            pass_fds=(listener.fileno(),),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        listener.close()
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        self._process.communicate()


def _root(public_key: str, pam: str | None) -> dict[str, object]:
    hashed = sha512_crypt.using(rounds=5000).hash(PASSWORD)
    passwd = [
        "root:x:0:0::/root:/bin/sh",
        "toor:x:0:0::/root:/bin/sh",
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin",
        "sshd:x:102:65534::/run/sshd:/usr/sbin/nologin",
    ]
    group = ["root:x:0:", "nogroup:x:65534:", "shadow:x:42:", "tty:x:5:"]
    shadow = [f"{each}:{hashed}:19000::::::" for each in ("root", "toor")]
    shadow += ["nobody:*:19000::::::", "sshd:*:19000::::::"]
    for uid, name in enumerate(ACCOUNTS, 2001):
        shell = _SHELLS.get(name, "/bin/sh")
        passwd.append(f"{name}:x:{uid}:{uid}::/home/{name}:{shell}")
        group.append(f"{name}:x:{uid}:")
        shadow.append(f"{name}:{hashed}:19000::::::")
    sudoers = ["root ALL=(ALL:ALL) ALL", *filter(None, ACCOUNTS.values())]

    def text(lines: list[str]) -> str:
        return "\n".join(lines) + "\n"

    return {
        "etc": {
            "passwd": (text(passwd), 0o644),
            "group": (text(group), 0o644),
            "shadow": (text(shadow), 0o600),
            "gshadow": ("", 0o600),
            "sudoers": (text(sudoers), 0o440),
            "hosts": ("127.0.0.1 localhost server.test\n", 0o644),
            "test_keys": (public_key, 0o644),
        }
        | ({"pam.d/sshd": (pam, 0o644)} if pam else {}),
        "programs": {
            ROOTS_SUDO_RS: (_SUDO_RS.read_text(), 0o755, 0),
            WRITABLE_SUDO: (_THIEF, 0o775, 0),
            OWN_SUDO: (_THIEF, 0o755, 2001 + list(ACCOUNTS).index("free")),
        },
        "links": {LINK_TO_SUDO: "/usr/bin/sudo"},
        "homes": {
            name: (uid, {"chatty": {".bashrc": _BASHRC}, "odd": {"shell": _SHELL}}.get(name, {}))
            for uid, name in enumerate(ACCOUNTS, 2001)
        },
    }


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key with ssh-keygen; `kind` may contain its size: rsa-3072."""
    name, _, bits = kind.partition("-")
    size = ["-b", bits] if bits else []
    subprocess.run(
        ["ssh-keygen", "-q", "-t", name, *size, "-N", passphrase, "-C", "me@here", "-f", path],
        check=True,
    )
    return path


def sign(authority: Path, key: Path, *options: str, names: str = "") -> Path:
    """Make a certificate for a key, beside the key."""
    principals = ["-n", names] if names else []
    subprocess.run(
        ["ssh-keygen", "-q", "-s", authority, "-I", "test", *principals, *options, f"{key}.pub"],
        check=True,
    )
    return Path(f"{key}-cert.pub")


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(address)) == 0


@contextmanager
def ssh_agent(folder: Path, *keys: Path) -> Iterator[Path]:
    """Start a real ssh-agent with these keys; return its socket."""
    address = folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(address))
        for key in keys:
            environment = {**os.environ, "SSH_AUTH_SOCK": str(address)}
            subprocess.run(["ssh-add", "-q", key], check=True, env=environment)
        yield address
    finally:
        agent.terminate()
        agent.wait()


@contextmanager
def special_server(folder: Path, *lines: str, **options: str) -> Iterator[Server]:
    """An sshd with additional configuration lines, its own PAM rules or its own address."""
    running = RunningServer(folder, lines, **options)
    try:
        yield running.server
    finally:
        running.close()

"""Run two pages, docs/tutorial.md and docs/from-ansible.md, on lab servers.

`python -m tests.lab.tutorial` writes the real output into the pages. Each `$` line of a page is
run, in order, in one folder. Each file that the page shows with its name is written. `settled`
(tests/lab/tour.py) replaces what differs in each run.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scimconf import vault
from scimconf.secret import Secret
from tests.lab import Lab
from tests.lab.accounts import OPS_PASSWORD
from tests.lab.server import Server

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "tutorial.md"
FROM_ANSIBLE = DOCS / "from-ansible.md"
VAULT_PASSWORD = "correct horse"
"""The password of the vault in docs/from-ansible.md."""
_PARTS = re.compile(
    r"```console\n\$ (?P<command>[^\n]*)\n(?P<output>.*?)```\n"
    r"|`(?P<file>[^`]+)`:\n\n```(?:yaml|ini|text)\n(?P<text>.*?)```\n"
    r"|<!-- by hand: (?P<by_hand>\w+) -->",
    re.DOTALL,
)


def follow(lab: Lab, folder: Path, page: str) -> str:
    """Do what the tutorial says. Return the page with the real output."""
    servers = [
        lab.server("chat1.test", version="5.6", realms=["", "acme"]),
        lab.server("chat2.test", version="9.0", realms=["", "acme"]),
    ]
    reader = _Reader(lab, folder, servers)
    for server in servers:
        _reach(folder, server.name, server.inventory_vars())
    return _PARTS.sub(reader.follow, page)


def follow_from_ansible(lab: Lab, folder: Path, page: str) -> str:
    """Do what docs/from-ansible.md says, as somebody who may use sudo with a password."""
    servers = [
        lab.server(name, version=version, realms=["acme"], sudo="password")
        for name, version in (("chat1.test", "9.0"), ("chat2.test", "12.1"))
    ]
    reader = _Reader(lab, folder, servers)
    for server in servers:
        of_lab = server.inventory_vars()
        del of_lab["ansible_user"]
        _reach(folder, server.name, of_lab)
    password = folder / ".vault-pass"
    password.write_text(f"{VAULT_PASSWORD}\n")
    password.chmod(0o600)
    return _PARTS.sub(reader.follow, page)


class _Reader:
    """A reader of a page, in an empty folder."""

    def __init__(self, lab: Lab, folder: Path, servers: Sequence[Server]) -> None:
        self._servers = {server.name: server for server in servers}
        self._folder = folder
        self._environment = _environment(lab, folder)
        folder.mkdir()

    def follow(self, part: re.Match[str]) -> str:
        """Do one step. Return it as the page must show it."""
        if part["by_hand"]:
            _edit(self._servers["chat2.test"])
        elif part["file"]:
            path = self._folder / part["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(part["text"])
        else:
            said = self._run(part["command"])
            return f"```console\n$ {part['command']}\n{said}```\n"
        return part[0]

    def _run(self, command: str) -> str:
        if command.startswith("export "):
            name, value = command.removeprefix("export ").split("=")
            self._environment[name] = value
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 2) or "error" in done.stderr:
            raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        # stdout has the report without the progress. Ports and paths of the lab are replaced.
        said = re.sub(r":\d{4,5}\b", "", done.stdout)
        said = re.sub(
            r"^(.*)\n=+$", lambda title: f"{title[1]}\n{'=' * len(title[1])}", said, flags=re.M
        )
        return re.sub(r"/\S*/(settings\.py|zulip-secrets\.conf)", r"/etc/zulip/\1", said)


def _environment(lab: Lab, folder: Path) -> dict[str, str]:
    """Return the environment of the lab, with `scimconf` in PATH."""
    programs = folder.with_name(f"{folder.name}-bin")
    programs.mkdir()
    program = programs / "scimconf"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scimconf "$@"\n')
    program.chmod(0o755)
    own = lab.environment()
    return {**own, "PATH": f"{programs}:{own['PATH']}", "GIT_CONFIG_GLOBAL": "/dev/null"}


def _reach(folder: Path, name: str, variables: Mapping[str, object]) -> None:
    """Write how to reach a lab server, which the page does not need to mention."""
    own = folder / "host_vars" / name
    own.mkdir(parents=True)
    (own / "lab.json").write_text(json.dumps(variables))


def sealed_become_password() -> str:
    """Return the file of the page with the password for sudo, encrypted as a whole."""
    text = f"vault_become_password: {OPS_PASSWORD}\n"
    return vault.encrypt(Secret(text), Secret(VAULT_PASSWORD), "default")


def _edit(server: Server) -> None:
    """Change one line of the block by hand, and restart."""
    text = server.settings.read_text()
    edited = text.replace('"name_formatted_included": True', '"name_formatted_included": False')
    if edited == text:
        raise SystemExit("there is nothing to edit by hand")
    server.settings.write_text(edited)
    server.restart()


def main() -> None:
    """Update the pages."""
    with Lab() as lab:
        PAGE.write_text(follow(lab, lab.folder / "tutorial", PAGE.read_text()))
    with Lab() as lab:
        page = follow_from_ansible(lab, lab.folder / "from-ansible", FROM_ANSIBLE.read_text())
        FROM_ANSIBLE.write_text(page)


if __name__ == "__main__":
    main()

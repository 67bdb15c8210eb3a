"""Run docs/tutorial.md: `python -m tests.lab.tutorial` writes the real output into the page.

Each `$` line of the page is run, in order, in one folder. Each file that the page says to write is
written. `settled` (tests/lab/tour.py) replaces what differs in each run.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.lab import Lab
from tests.lab.server import Server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
_PARTS = re.compile(
    r"```console\n\$ (?P<command>[^\n]*)\n(?P<output>.*?)```\n"
    r"|Write this into `(?P<file>[^`]+)`:\n\n```yaml\n(?P<text>.*?)```\n"
    r"|<!-- by hand: (?P<by_hand>\w+) -->",
    re.DOTALL,
)


def follow(lab: Lab, folder: Path, page: str) -> str:
    """Do what the page says. Return the page with the real output."""
    reader = _Reader(lab, folder)
    return _PARTS.sub(reader.follow, page)


class _Reader:
    """A reader of the tutorial with two servers."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._servers = {
            "chat1.test": lab.server("chat1.test", version="5.6", realms=["", "acme"]),
            "chat2.test": lab.server("chat2.test", version="9.0", realms=["", "acme"]),
        }
        self._folder = folder
        self._environment = _environment(lab, folder)
        folder.mkdir()
        for server in self._servers.values():
            _reach(folder, server)

    def follow(self, part: re.Match[str]) -> str:
        """Do one step. Return it as the page must show it."""
        if part["by_hand"]:
            _edit(self._servers["chat2.test"])
        elif part["file"]:
            path = self._folder / part["file"]
            path.parent.mkdir(exist_ok=True)
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


def _reach(folder: Path, server: Server) -> None:
    """Write how to reach a lab server, which the page does not need to mention."""
    own = folder / "host_vars" / server.name
    own.mkdir(parents=True)
    (own / "lab.json").write_text(json.dumps(server.inventory_vars()))


def _edit(server: Server) -> None:
    """Change one line of the block by hand, and restart."""
    text = server.settings.read_text()
    edited = text.replace('"name_formatted_included": True', '"name_formatted_included": False')
    if edited == text:
        raise SystemExit("there is nothing to edit by hand")
    server.settings.write_text(edited)
    server.restart()


def main() -> None:
    """Update the page."""
    with Lab() as lab:
        PAGE.write_text(follow(lab, lab.folder / "tutorial", PAGE.read_text()))


if __name__ == "__main__":
    main()

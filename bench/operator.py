"""A user of scimconf for the targets: inventories, a token file, and the commands.

There is an inventory for each state in `WANTED`. They differ in one value of each server's SCIM
block, so the step from one to the other changes every server.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Program
from bench.targets import Target, Targets
from scimconf import inventory
from scimconf.fleet import observe
from scimconf.ssh import command
from scimconf.ssh.program import payload
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.store import TokenFile

PROJECT = Path(__file__).resolve().parents[1]
WANTED = ("false", "true")
"""The value of name_formatted_included on all servers, by state."""


class Operator:
    """A folder `name` with the inventories and the token file of `fleet`."""

    def __init__(
        self,
        targets: Targets,
        name: str,
        fleet: Sequence[Target],
        port: int | None = None,
        like: Operator | None = None,
    ) -> None:
        """Write the files. `port`: of the proxy. `like`: use the tokens of another operator."""
        self.targets = targets
        self.fleet = fleet
        self.port = port or targets.port
        self.folder = targets.controller / name
        self.folder.mkdir()
        self.tokens: Path = like.tokens if like else self.folder / "tokens.yaml"
        self.vault: Path = like.vault if like else self.folder / ".vault-password"
        self.vault.write_text("a password that nobody guesses\n")
        for state in range(len(WANTED)):
            self.inventory(state).write_text(self._inventory(WANTED[state]))

    def inventory(self, state: int) -> Path:
        """Return the inventory of this state."""
        return self.folder / f"inventory{state}.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of each tool."""
        return environment(self.targets)

    def scimconf(
        self, verb: str, state: int, *arguments: str, codes: tuple[int, ...] = (0,)
    ) -> Program:
        """Return a scimconf command."""
        argv = [sys.executable, "-m", "scimconf", verb, *arguments, "--tokens", str(self.tokens)]
        argv += ["-i", str(self.inventory(state))]
        return Program(argv, self.folder, self.environment, codes)

    def apply(self, state: int, *arguments: str) -> Program:
        """Return a `scimconf apply` command."""
        vault = ("--vault-password-file", str(self.vault))
        return self.scimconf("apply", state, "--yes", "--allow-many", *vault, *arguments)

    def floor(self, state: int, forks: int) -> Program:
        """Write the requests of scimconf's plan for floor.py. Return the command."""
        requests = self.folder / f"floor{state}.json"
        loaded = inventory.load([self.inventory(state)], {})
        keyring = Keyring(TokenFile.load(self.tokens), dict)
        work = {
            "common": {
                "host_key": self.targets.host_key.split()[1],
                "user": self.targets.user,
                "key": str(self.targets.client_key),
                "program": base64.b64encode(payload()).decode(),
            },
            "targets": [
                {
                    "address": server.connection.host,
                    "port": server.connection.port,
                    "line": command.line(
                        command.words(server.connection, server.paths, "0" * 32, None)
                    ),
                    "request": json.dumps(observe.request(keyring.desired(server))),
                }
                for server in loaded.servers.values()
            ],
        }
        requests.write_text(json.dumps(work))
        argv = [sys.executable, "-m", "bench.floor", str(requests), str(forks)]
        return Program(argv, self.folder, self.environment)

    def ssh(self, target: Target, *words: str) -> Program:
        """Return a command of OpenSSH's client with the options that it needs to connect."""
        options = {
            "UserKnownHostsFile": str(self.targets.known_hosts),
            "IdentityFile": str(self.targets.client_key),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        to = f"{self.targets.user}@{target.address}"
        argv = ["ssh", "-F", "none", *given, "-p", str(self.port), to, *words]
        return Program(argv, self.folder, self.environment)

    def _inventory(self, wanted: str) -> str:
        targets = self.targets
        lines = [
            "all:",
            "  vars:",
            f"    ansible_port: {self.port}",
            f"    ansible_user: {targets.user}",
            f"    ansible_ssh_private_key_file: {targets.client_key}",
            f"    zulip_user: {targets.user}",
            "    scim_idp: okta",
            "    scim_verify: false",
            '    scim_restart: ["true"]',
            "  hosts:",
        ]
        for target in self.fleet:
            zulip = target.zulip
            lines += [
                f"    {target.name}:",
                f"      ansible_host: {target.address}",
                f"      zulip_external_host: {target.deployment.replace('zulip', 'h')}.test",
                f"      zulip_settings: {zulip.settings}",
                f"      zulip_secrets: {zulip.secrets}",
                f"      zulip_deployment: {zulip.deployment}",
                f"      scim_deployment: {target.deployment}",
                "      scim_realms:",
                f'        "": {{name_formatted_included: {wanted}}}',
            ]
        return "\n".join(lines) + "\n"


def environment(targets: Targets) -> dict[str, str]:
    """Return the environment of each tool."""
    kept = ("PATH", "LANG", "USER", "LOGNAME")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(targets.controller),
        "PYTHONPATH": str(PROJECT),
        "SCIMCONF_KNOWN_HOSTS": str(targets.known_hosts),
    }

"""A user of scimconf on the lab: a folder, an inventory, a vault password, and no terminal."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scimconf.secret import Secret
from scimconf.tokens.store import TokenFile
from tests.lab import prepared
from tests.lab.lab import Lab

VAULT = ("--vault-password-file", ".vault-password")


class Operator:
    """A folder with an inventory. `run` starts scimconf there as a separate process."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.inventory = folder / "inventory.yaml"
        self.tokens = folder / "tokens.yaml"
        folder.mkdir(exist_ok=True)
        password = folder / ".vault-password"
        password.touch(0o600)
        password.write_text(f"{uuid.uuid4()}\n")

    def write_inventory(self, hosts: Mapping[str, Mapping[str, Any]], **variables: Any) -> None:
        """Write the inventory: the variables of each host, and those for reaching it in the lab."""
        known = self.lab.servers
        tree = {
            "all": {
                "vars": {"scim_idp": "okta", **variables},
                "hosts": {
                    name: {**(known[name].inventory_vars() if name in known else {}), **own}
                    for name, own in hosts.items()
                },
            }
        }
        # JSON is valid YAML and is not ambiguous.
        self.inventory.write_text(json.dumps(tree, indent=2))

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run scimconf and wait for its end. With `env`, it is a new Python."""
        if env is None:
            return prepared.run(arguments, self.folder, self.lab.environment())
        return subprocess.run(
            [sys.executable, "-m", "scimconf", *arguments],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start scimconf and do not wait. Its stderr goes to its stdout."""
        return subprocess.Popen(
            [sys.executable, "-m", "scimconf", *arguments],
            cwd=self.folder,
            env=self.lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def apply(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run apply with the options of a pipeline that keeps its token file."""
        return self.run("apply", "--yes", "--create-tokens", *VAULT, *arguments)

    def bare_environment(self) -> dict[str, str]:
        """Return the smallest environment for scimconf on the lab. It contains no secret."""
        needed = ("PYTHONPATH", "HOME", "PATH", "SCIMCONF_KNOWN_HOSTS")
        return {k: v for k, v in self.lab.environment().items() if k in needed}

    def token(self, deployment: str, realm: str) -> str:
        """Return a token from the token file."""
        password = Secret((self.folder / ".vault-password").read_text().strip())
        token = TokenFile.load(self.tokens).token(deployment, realm, {"default": password})
        assert token, f"no token of {realm} of {deployment}"
        return token.reveal()

"""A program that scimconf starts cannot read the memory of scimconf under /proc."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scimconf.cli.variables import VAULT_PASSWORD
from tests.cli.terminal import own_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")

PR_CAPBSET_DROP = 24
HOST = '{"hosts": ["c.test"], "vars": {"scim_idp": "okta", "scim_realms": {"acme": {}}}}'
STATIC = "all: {hosts: {c.test: {scim_realms: {acme: {%s}}}}}\n"
ANSWERS = {
    "inventory": f"""'{{"all": {HOST}, "_meta": {{"hostvars": {{}}}}}}'""",
    "vault": "correct horse",
    "reference": "gR7bQ2mXv9LkPz4TnW8s3JfH6dYc1BaE5uVt0iKoMnQ",
}
ARGUMENTS = {
    "inventory": ("-i", "program", "--allow-exec=inventory"),
    "vault": ("--vault-password-file", "program"),
    "reference": ("--vault-password-file", "password"),
}


def no_more_than_an_ordinary_user() -> None:
    """Drop the capabilities of root, which allow it to read every process, at the next exec."""
    if os.geteuid() == 0:
        for capability in range(64):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_child_cannot_read_the_memory_of_scimconf(kind: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(
        "#!/bin/sh\n"
        f"echo started >> {tmp_path}/seen\n"
        f"cat /proc/$PPID/environ >> {tmp_path}/seen 2>/dev/null\n"
        f"(: < /proc/$PPID/mem) 2>/dev/null && echo memory >> {tmp_path}/seen\n"
        f"cat /proc/self/environ > {tmp_path}/own\n"
        f"echo {ANSWERS[kind]}\n"
    )
    program.chmod(0o700)
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "password").chmod(0o600)
    token = "token: {command: [./program]}" if kind == "reference" else ""
    (tmp_path / "inventory.yaml").write_text(STATIC % token)
    done = subprocess.run(
        [sys.executable, "-m", "scimconf", "render", "c.test", *ARGUMENTS[kind],
         "--tokens", "tokens.yaml", "--create-tokens", "--show-tokens"],
        cwd=tmp_path,
        env={**own_environment(), VAULT_PASSWORD: "sesame"},
        preexec_fn=no_more_than_an_ordinary_user,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set((tmp_path / "seen").read_text().split()) == {"started"}
    own = (tmp_path / "own").read_text()  # a child can be read by its own user, as usual
    assert "PATH=" in own
    assert "sesame" not in own

"""The simulated servers of the benchmark answer as the agent does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench import scale

PROJECT = Path(__file__).resolve().parents[1]
INVENTORY = """\
all:
  vars: {scim_verify: false, scim_idp: okta}
  hosts:
    zulip0: {zulip_external_host: zulip0.test, scim_realms: {"": {}}}
    zulip1: {zulip_external_host: zulip1.test, scim_realms: {"": {}}}
"""


def test_a_plan_of_simulated_servers_has_nothing_to_change(tmp_path: Path) -> None:
    inventory, tokens, password = tmp_path / "hosts.yml", tmp_path / "tokens.yaml", tmp_path / "pw"
    inventory.write_text(INVENTORY)
    password.write_text("a password\n")
    common = ["-i", str(inventory), "--tokens", str(tokens)]
    given = ["--vault-password-file", str(password), "--create-tokens", "--show-tokens"]
    _run("scimconf", "render", "zulip0", *common, *given)
    _run("scimconf", "render", "zulip1", *common, *given)

    out = _run("bench.resources", "simulated", "plan", *common)

    assert json.loads(out.splitlines()[-1])["code"] == 0, out


def test_the_memory_of_a_plan_does_not_grow_with_the_text_of_its_report(tmp_path: Path) -> None:
    """The JSON report of a server with changes has 5 kB, and its objects have ten times as much."""
    most = {}
    for count in (500, 2500):
        folder = tmp_path / str(count)
        folder.mkdir()
        scale._lay_out(folder, count)
        most[count] = scale._plan(folder, ())["memory"]
    assert (most[2500] - most[500]) / 2000 < 15_000


def _run(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""A real bind mount, which a rename cannot replace, and a power cut during the write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.fake import Zulip

# Runs in its own mount namespace. Each attempt is a separate process, which dies at `cut`.
_ATTEMPT = """
import json, os, subprocess, sys
sys.path.insert(0, {root!r})
from scimconf.agent import durable, files, gate, transaction
gate._PAUSE = 0.01
task = json.load(sys.stdin)
for path in task["paths"]["settings"], task["paths"]["secrets"]:
    subprocess.run(["mount", "--bind", path, path], check=True)


def apply(cut=None, into=None, do="apply"):
    write, wrote = durable._write_in_place, []

    def dying(real, data, moment):
        wrote.append(real)
        if cut is not None and real == into:
            with open(real, "r+b") as file:
                file.write(data[:cut])
            os._exit(9)
        write(real, data, moment)

    child = os.fork()
    if child == 0:
        durable._write_in_place = dying
        final = getattr(transaction, do)(task, lambda message: None, "a test")
        print(json.dumps([do, final["result"], final["message"], len(wrote)]), flush=True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def pair():
    return [open(task["paths"][name], "rb").read() for name in ("settings", "secrets")]


old = pair()
size = len(old[0])
for name in "settings", "secrets":
    into = task["paths"][name]
    for cut in 0, size - 1, size + 20, 10 ** 6:
        assert apply(cut, into) == 9, "it did not die"
        if name == "settings" and cut == 10 ** 6:
            # And once more in the rollback.
            assert apply(size - 60, into, "recover") == 9
        assert apply(do="recover") == 0
        assert pair() == old, (name, cut)
assert apply() == 0
"""


@pytest.mark.needs_root
@pytest.mark.parametrize("longer", [True, False])
def test_a_power_cut_during_a_write_in_place_is_repaired(
    zulip: Zulip, tmp_path: Path, longer: bool
) -> None:
    if not longer:
        entry = f'"beta": {{"bearer_token": "{"b" * 200}", "scim_client_name": "okta"}}'
        zulip.settings.write_text(
            f"{zulip.settings.read_text()}SCIM_CONFIG = {{\n    {entry},\n}}\n"
        )
    tokens: dict[str, str | None] = (
        {"acme": "a" * 40} if longer else {"acme": "a" * 40, "beta": None}
    )
    request = zulip.apply(store="secrets", **tokens)
    before = zulip.settings.stat()
    program = tmp_path / "attempt.py"
    program.write_text(_ATTEMPT.format(root=str(Path(__file__).parents[2])))
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-B", str(program)],
        input=json.dumps(request), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result for do, result, _, _ in said if do == "recover"] == ["recovered"] * 8
    assert said[-1][:2] == ["apply", "committed"]
    assert said[-1][3] == 2, "both files are written in place"
    assert zulip.running() == {"acme": "a" * 40}
    # The files are the same inodes, so other mounts of them see the change.
    assert zulip.settings.stat().st_ino == before.st_ino
    assert (zulip.settings.stat().st_size > before.st_size) is longer
    assert zulip.litter() == []

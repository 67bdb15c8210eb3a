"""The line for the agent: the CPU time of one observation, without SSH."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench.measure import Measured, Program, median
from bench.results import Report, at_most
from bench.tools import Bench
from scimconf import inventory
from scimconf.fleet import observe
from scimconf.ssh.program import bootstrap, payload
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.store import TokenFile
from tests.lab import accounts

SIZE = 37_000
"""Bytes of the settings.py of Zulip 9.0."""


def agent(bench: Bench) -> Report:
    """Observe one server that scimconf has configured, with a settings.py as long as Zulip's.

    The unit is what a Python takes that does nothing, so the speed of the machine does not count.
    """
    operator, (target,) = bench.one, bench.one.fleet
    settings = target.zulip.settings
    data = settings.read_bytes()
    comment = b"# A comment, as most of this file is.\n"
    settings.write_bytes(comment * ((SIZE - len(data)) // len(comment)) + data)
    keyring = Keyring(TokenFile.load(operator.tokens), dict)
    (server,) = inventory.load([operator.inventory(0)], {}).servers.values()
    request = json.dumps(observe.request(keyring.desired(server)))
    # The servers' users exist only in their namespace, but a number is enough here.
    user = accounts.ZULIP.number if os.geteuid() == 0 else None
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    try:
        with tempfile.NamedTemporaryFile() as asked:
            asked.write(payload() + request.encode() + b"\n")
            asked.flush()
            sides = {
                "python -c pass": ["-I", "-S", "-c", "pass"],
                "agent": ["-I", "-S", "-B", "-u", "-c", bootstrap(), "NONCE", "zulip"],
            }
            runs: dict[str, list[Measured]] = {name: [] for name in sides}
            for _ in range(max(bench.runs, 25)):
                for name, words in sides.items():
                    runs[name].append(_run([python, *words], Path(asked.name), user))
    finally:
        settings.write_bytes(data)
    answer = json.loads(runs["agent"][0].out.splitlines()[1])
    assert answer["realms"][""]["token"]["matches"], answer
    unit, ours = (median(each, lambda run: run.cpu) for each in runs.values())
    return Report(
        [at_most("CPU of an observation / `python -c pass`", ours / unit, 5)],
        [f"{python} -c pass {1000 * unit:.1f} ms CPU, the agent {1000 * ours:.1f} ms CPU"],
    )


def _run(argv: list[str], asked: Path, user: int | None) -> Measured:
    with asked.open("rb") as stdin:
        return Program(argv, Path("/"), {"PATH": os.environ["PATH"]}, stdin=stdin, user=user).run()

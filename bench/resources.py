"""Run scimconf and measure its process: `python -m bench.resources KIND ARGUMENTS...`.

`real` counts open files before and after a run. `simulated` replaces the connections by ones that
answer at once, and measures the time for loading the inventory. The last line of the output is
JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from scimconf import cli, inventory, startup
from scimconf.agent.observe import EMPTY
from scimconf.ssh import session as ssh


class SimulatedAgent:
    """An agent that answers like a server with nothing to do."""

    def ask(
        self, request: Mapping[str, Any], seconds: float = 900.0
    ) -> Iterator[Mapping[str, object]]:
        realm = {
            "values": {"scim_client_name": "okta", "name_formatted_included": False},
            "token": {"length": 43, "short": "abcd", "matches": True, "created": ""},
            "secret_name": None,
            "line": 1,
            "column": 1,
            "unreadable": "",
        }
        answer = {
            **EMPTY,
            "version": "9.0",
            "settings_sha256": "0" * 64,
            "secrets_sha256": "0" * 64,
            "block": "SCIM_CONFIG = {}",
            "has_get_secret": True,
            "realms": dict.fromkeys(request["realms"], realm),
        }
        # Convert to JSON and back, as for a real server.
        yield json.loads(json.dumps(answer))


@contextmanager
def _simulated(*_: object) -> Iterator[SimulatedAgent]:
    yield SimulatedAgent()


def real(arguments: Sequence[str]) -> dict[str, object]:
    """Run for one host first, because some files are opened once. Then run and count."""
    first = cli.run([*arguments, "--limit", "h0"])
    before = _descriptors()
    code = cli.run(arguments)
    return {"first": first, "code": code, "before": before, "after": _descriptors()}


def simulated(arguments: Sequence[str]) -> dict[str, object]:
    """Plan with simulated connections."""
    ssh.open_agent = _simulated  # type: ignore[assignment]
    load, took = inventory.read, 0.0

    def timed(*given: Any, **named: Any) -> inventory.Inventory:
        nonlocal took
        begun = time.monotonic()
        loaded = load(*given, **named)
        took = time.monotonic() - begun
        return loaded

    inventory.read = timed
    begun = time.monotonic()
    code = cli.run(arguments)
    return {"code": code, "load": took, "whole": time.monotonic() - begun}


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    startup.collect_rarely()  # as in scimconf's own `main`
    found = {"real": real, "simulated": simulated}[sys.argv[1]](sys.argv[2:])
    print("\n" + json.dumps(found))

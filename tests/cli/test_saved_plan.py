"""A plan is saved, approved, and carried out only while it still holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.lab import Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd


def test_a_saved_plan_is_carried_out_or_refused(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server, other = lab_server(version="9.0"), lab_server(version="12.1")
    hosts = {each.name: {"scim_realms": {"": {}}} for each in (server, other)}
    operator.write_inventory(hosts)
    assert operator.run("plan", "--out", "plan.json", server.name).returncode == 2
    before = server.settings.read_bytes()

    # Another selection, another file, another state: each refused, and nothing changed.
    wide = operator.apply("--plan", "plan.json")
    assert (wide.returncode, f"{other.name} is not in the plan" in wide.stderr) == (64, True)
    nothing = operator.apply("--plan", "inventory.yaml", server.name)
    assert (nothing.returncode, "is no plan" in nothing.stderr) == (64, True)
    server.settings.write_bytes(before + b"\n# by hand\n")
    moved = operator.apply("--plan", "plan.json", server.name, "--format", "json")
    assert moved.returncode == 1, moved
    (said,) = json.loads(moved.stdout)["servers"]
    assert said["message"] == "moved on since the plan was saved: settings.py was changed"
    assert server.settings.read_bytes() == before + b"\n# by hand\n"
    assert not operator.tokens.exists()

    server.settings.write_bytes(before)
    done = operator.apply("--plan", "plan.json", server.name)
    assert done.returncode == 0, done
    again = operator.run("apply", "--yes", *VAULT, "--plan", "plan.json", server.name)
    assert (again.returncode, "moved on" in again.stdout) == (1, True)

"""Two servers of one deployment: both are changed, or none."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.lab import Server
from tests.lab.operator import Operator

pytestmark = pytest.mark.needs_sshd


def test_if_one_server_fails_its_gate_the_other_is_rolled_back(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    first, second = lab_server(version="5.6"), lab_server(version="9.0")
    both = {"scim_deployment": "zulip", "scim_realms": {"": {}}, "scim_gate_timeout": 1}
    hosts = {first.name: both, second.name: {**both, "scim_restart": ["/bin/true"]}}
    operator.write_inventory(hosts)
    before = first.settings.read_bytes(), second.settings.read_bytes()
    done = operator.apply("--format", "json")
    assert done.returncode == 4, done
    said = {each["server"]: each for each in json.loads(done.stdout)["servers"]}
    assert [each["status"] for each in said.values()] == ["rolled back"] * 2
    undone = said[first.name]
    assert undone["message"].startswith(f"rolled back, because {second.name} of")
    assert [step["name"] for step in undone["steps"]].count("commit") == 2
    assert (first.settings.read_bytes(), second.settings.read_bytes()) == before

    operator.write_inventory(dict.fromkeys(hosts, both))
    assert operator.apply().returncode == 0
    token = operator.token("zulip", "")
    for server in (first, second):
        assert server.request("GET", "/scim/v2/Users", "", token)[0] == 200

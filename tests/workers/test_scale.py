"""A fleet of SSH servers and four workers: equal results, and workers that are killed at random.

`make test` runs a sample; `make matrix` runs 400 servers and 100 kills.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.targets import Target, Targets
from tests.workers.cluster import Cluster

pytestmark = [pytest.mark.needs_sshd, pytest.mark.matrix]

SERVERS = 400
KILLS = 100
KILLED = 20
"""The servers of each run with a kill."""
WORKERS = 4


class _Fleet:
    """The servers, a cluster, and an operator's folder."""

    def __init__(self, targets: Targets, cluster: Cluster, folder: Path) -> None:
        self.targets = targets
        self.cluster = cluster
        self.folder = folder
        self.restarts = targets.folder / "restarts"
        self.restarts.mkdir(mode=0o777)
        self.restarts.chmod(0o777)
        (folder / "password").touch(0o600)
        (folder / "password").write_text("correct horse\n")
        self.environment = {
            **os.environ,
            "HOME": str(targets.controller),
            "SCIMCONF_KNOWN_HOSTS": str(targets.known_hosts),
            "SCIMCONF_VAULT_PASSWORD_FILE": "password",
        }

    def write(self, client: str, count: int = SERVERS) -> None:
        """Write an inventory with this name of the SCIM client."""
        hosts = {each.name: self._variables(each, client) for each in self.targets.at(count)}
        (self.folder / "inventory.yaml").write_text(json.dumps({"all": {"hosts": hosts}}))

    def _variables(self, target: Target, client: str) -> dict[str, Any]:
        zulip = target.zulip
        return {
            "ansible_host": target.address,
            "ansible_port": self.targets.port,
            "ansible_user": self.targets.user,
            "ansible_ssh_private_key_file": str(self.targets.client_key),
            "ansible_python_interpreter": target.python,
            "zulip_settings": str(zulip.settings),
            "zulip_secrets": str(zulip.secrets),
            "zulip_deployment": str(zulip.deployment),
            "zulip_user": self.targets.user,
            "zulip_external_host": f"{target.name}.test",
            "scim_client": client,
            "scim_realms": {"acme": {}},
            "scim_restart": ["/bin/sh", "-c", f"echo x >> {self.restarts}/{target.name}"],
            "scim_verify": False,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "scimconf", *arguments, "--format", "json"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> Any:
        """Run scimconf; return its report without times."""
        return self.ended(self.start(*arguments), code)

    def ended(self, process: subprocess.Popen[str], code: int = 0) -> Any:
        said, errors = process.communicate(timeout=600)
        servers = json.loads(said)["servers"] if said else []
        bad = [each for each in servers if each["status"] not in ("changed", "ok")]
        assert process.returncode == code, (process.returncode, bad[:3], errors[-2000:])
        report = json.loads(said)
        for each in report["servers"]:
            each["seconds"] = 0
            for step in each["steps"]:
                step["seconds"] = 0
        return report

    def restarted(self) -> dict[str, int]:
        """Return how often each server was restarted since the last call."""
        found = {each.name: len(each.read_text()) // 2 for each in self.restarts.iterdir()}
        for each in self.restarts.iterdir():
            each.unlink()
        return found


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Fleet]:
    folder = tmp_path_factory.mktemp("scale")
    with Targets(SERVERS) as targets:
        environment = {"HOME": str(targets.controller)}
        with Cluster(folder / "cluster", ["default"] * WORKERS, environment) as cluster:
            found = _Fleet(targets, cluster, folder)
            found.write("okta")
            created = ("apply", "--yes", "--create-tokens", "--allow-many", "--forks", "32")
            assert _statuses(found.run(*created, *cluster.options)) == {"changed"}
            assert set(found.restarted().values()) == {1}
            yield found


def _statuses(report: Any) -> set[str]:
    return {each["status"] for each in report["servers"]}


def test_a_fleet_with_workers_is_the_same_as_without(fleet: _Fleet) -> None:
    fleet.write("other")
    options, forks = fleet.cluster.options, ("--forks", "32")
    assert fleet.run("plan", code=2) == fleet.run("plan", *forks, *options, code=2)
    change = ("apply", "--yes", "--allow-many", *forks)
    here = fleet.run(*change)
    fleet.run("undo", "--yes", *forks)
    there = fleet.run(*change, *options)
    assert here == there
    assert _statuses(there) == {"changed"}


def test_killed_workers_lose_nothing_and_every_server_converges(fleet: _Fleet) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    options = (*fleet.cluster.options, "--forks", "16")
    workers = fleet.cluster.workers
    fleet.write("client", KILLED)
    begun = time.monotonic()
    fleet.run("apply", "--yes", "--allow-many", *options)
    usual = time.monotonic() - begun
    most = 0
    for number in range(KILLS):
        fleet.write(f"client{number}", KILLED)
        fleet.restarted()
        process = fleet.start("apply", "--yes", "--allow-many", *options)
        time.sleep(chance.uniform(0.2, usual))
        victim = chance.choice([each for each in workers if each.poll() is None])
        victim.kill()
        new = fleet.cluster.start_worker()
        report = fleet.ended(process)
        assert _statuses(report) == {"changed"}, number
        restarts = fleet.restarted()
        assert len(restarts) == KILLED
        most = max(most, *restarts.values())
        assert most <= 2
        fleet.cluster.wait_for(workers.index(new))
        assert _statuses(fleet.run("plan")) == {"ok"}
    print("kills", KILLS, "most restarts of a server in a run", most)

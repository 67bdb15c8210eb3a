"""Faults during a restart on the lab: a real scimconf, a real sshd, Zulip's own scripts."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.matrix import ALL
from tests.faults.process import until
from tests.faults.proxy import Proxy
from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

USERS = "/scim/v2/Users"
_RESTART = """#!/bin/sh
cut -d' ' -f4 /proc/$PPID/stat > '{folder}/agent'
mv '{folder}/agent' '{folder}/struck'
until test -e '{folder}/go'; do sleep 0.05; done
exec '{deployment}/scripts/restart-server'
"""


class Scene:
    """A server whose restart waits for the test, and a scimconf that applies to it."""

    def __init__(self, operator: Operator, server: Server, proxy: Proxy) -> None:
        self.operator, self.server, self.proxy = operator, server, proxy
        self._folder = server.layout.outside("home", "faults")
        inside = server.layout.inside("home", "faults")
        self._folder.mkdir()
        self._folder.chmod(0o777)
        script = self._folder / "restart"
        script.write_text(_RESTART.format(folder=inside, deployment=server.paths.deployment))
        script.chmod(0o755)
        variables = {
            "scim_realms": {"acme": {}},
            "scim_restart": [f"{inside}/restart"],
            "ansible_port": proxy.port,
        }
        operator.write_inventory({server.name: variables})

    def apply(self) -> subprocess.Popen[str]:
        """Start scimconf. Return once the restart runs."""
        (self._folder / "struck").unlink(missing_ok=True)
        started = subprocess.Popen(
            [sys.executable, "-m", "scimconf", "apply", "--yes", "--create-tokens", *VAULT],
            cwd=self.operator.folder,
            env=self.operator.lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        struck = self._folder / "struck"
        until(lambda: struck.exists() or started.poll() is not None, "the restart begins")
        assert struck.exists(), _end(started)
        assert self.agents()
        return started

    def kill_agent(self) -> None:
        number = (self._folder / "struck").read_text().strip()
        assert self.server.run(["kill", "-9", number]).returncode == 0

    def go_on(self) -> None:
        (self._folder / "go").touch()

    def journal(self) -> str:
        path = self.server.layout.outside("home", ".scimconf", "journal.json")
        return str(json.loads(path.read_text())["state"])

    def lets_in(self) -> bool:
        token = self.operator.token(self.server.name, "acme")
        return self.server.request("GET", USERS, "acme", token)[0] == 200

    def litter(self) -> list[str]:
        found = [self.server.settings.parent, self.server.layout.outside("home", ".scimconf")]
        return [path.name for each in found for path in each.rglob("*.scimconf-*")]

    def agents(self) -> str:
        """Return the agents that still run on the server, including waiting ones."""
        return self.server.run(["pgrep", "-f", "zlib.decompress"]).stdout


@pytest.fixture(params=["5.6", "9.0"] if ALL else ["9.0"])
def scene(
    request: pytest.FixtureRequest,
    lab: Lab,
    lab_server: Callable[..., Server],
    tmp_path: Path,
) -> Iterator[Scene]:
    server = lab_server(version=request.param, realms=["acme"])
    assert server.ssh_port
    with Proxy(server.ssh_port) as proxy:
        known = lab.known_hosts.read_text()
        # Use the last line: an earlier server may have had the same port and another key.
        host = [line for line in known.splitlines() if f"]:{server.ssh_port} " in line][-1]
        with lab.known_hosts.open("a") as file:
            file.write(host.replace(f"]:{server.ssh_port} ", f"]:{proxy.port} ") + "\n")
        yield Scene(Operator(lab, tmp_path / "operator"), server, proxy)


def _end(controller: subprocess.Popen[str]) -> str:
    with contextlib.suppress(ProcessLookupError):
        out, err = controller.communicate(timeout=60)
    return out + err


def test_if_the_controller_is_killed_the_server_finishes_alone(scene: Scene) -> None:
    controller = scene.apply()
    controller.kill()
    _end(controller)
    scene.go_on()
    until(lambda: scene.journal() == "committed", "the server finishes")
    _at_rest(scene)
    assert scene.lets_in()
    plan = scene.operator.run("plan")
    assert plan.returncode == 0, plan
    assert "finished by itself after it lost the connection: committed" in plan.stdout
    assert scene.operator.apply().returncode == 0


@pytest.mark.parametrize("how", ["reset", "silence"] if ALL else ["silence"])
def test_if_the_link_is_cut_the_server_finishes_alone(scene: Scene, how: str) -> None:
    controller = scene.apply()
    if how == "reset":
        scene.proxy.reset()
        said = _end(controller)
        scene.go_on()
    else:
        scene.proxy.swallow()
        scene.go_on()
        until(lambda: scene.journal() == "committed", "the server finishes")
        assert controller.poll() is None
        scene.proxy.reset()
        said = _end(controller)
    assert controller.returncode == 1, said
    assert "the connection was lost during the change" in said
    until(lambda: scene.journal() == "committed", "the server finishes")
    _at_rest(scene)
    assert scene.lets_in()


@pytest.mark.parametrize("both", [False, True] if ALL else [False])
def test_if_the_agent_is_killed_the_next_apply_rolls_back_first(scene: Scene, both: bool) -> None:
    before = scene.server.settings.read_bytes(), scene.server.secrets.read_bytes()
    controller = scene.apply()
    if both:
        controller.send_signal(signal.SIGKILL)
    scene.kill_agent()
    said = _end(controller)
    assert controller.returncode == (-9 if both else 1), said
    scene.go_on()
    assert scene.journal() == "open"
    plan = scene.operator.run("plan")
    assert plan.returncode == 2, plan
    assert "interrupted" in plan.stdout
    recovered = scene.operator.run("recover", "--yes")
    assert recovered.returncode == 0, recovered
    assert (scene.server.settings.read_bytes(), scene.server.secrets.read_bytes()) == before
    assert scene.operator.apply().returncode == 0
    _at_rest(scene)
    assert scene.lets_in()


def _at_rest(scene: Scene) -> None:
    until(lambda: not scene.agents(), "every agent ends")
    assert scene.litter() == []

"""The controller dies during a change: the server finishes alone and reports the result later."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.lab import Server
from tests.lab.crossing import Crossing, until
from tests.lab.operator import VAULT, Operator
from tests.matrix import sample

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]
USERS = "/scim/v2/Users"


@pytest.fixture
def server(one: One) -> Server:
    return one({"scim_realms": {"": {}}}, version="9.0")


def _killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _interrupted_twice(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    said = process.stdout
    assert said is not None
    until(lambda: "Ctrl-C again" in said.readline(), "no word about Ctrl-C")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("verb", ["apply", "rotate"])
def test_after_one_ctrl_c_the_report_says_that_the_public_url_was_not_checked(
    operator: Operator, server: Server, verb: str
) -> None:
    if verb == "rotate":
        assert operator.run("apply", "--yes", "--create-tokens", *VAULT).returncode == 0
    crossing, process = _begun(operator, server, verb)
    process.send_signal(signal.SIGINT)
    said = process.stdout
    assert said is not None
    until(lambda: "Ctrl-C again" in said.readline(), "no word about Ctrl-C")
    crossing.go()
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    report = rest[rest.index(f"{server.name}  Zulip 9.0  changed\n") :]
    assert "the public URL was not checked, because the run was interrupted\n" in report
    command = report.partition("  -> to check it: ")[2].partition("\n")[0]
    assert command.startswith(f"scimconf verify {' '.join(VAULT)} ")
    assert command.endswith(f" {server.name}")
    assert "ok: " not in report
    checked = operator.run(*command.split()[1:])
    assert (checked.returncode, "ok: " in checked.stdout) == (0, True), checked


def _begun(
    operator: Operator, server: Server, verb: str = "apply"
) -> tuple[Crossing, subprocess.Popen[str]]:
    """Start a change. Return when the server's restart waits for its release."""
    crossing = Crossing(server)
    variables = {"scim_realms": {"": {}}, "scim_restart": crossing.restart}
    operator.write_inventory({server.name: {**variables, "scim_gate_timeout": 5}})
    how = ["--create-tokens"] if verb == "apply" else []
    process = operator.start(verb, "--yes", *how, *VAULT)
    crossing.wait()
    return crossing, process


def _ended(server: Server) -> None:
    journal = server.layout.outside("home", ".scimconf", "journal.json")
    until(lambda: json.loads(journal.read_text())["state"] != "open", "it does not end")


@pytest.mark.parametrize("ends", sample([_killed, _interrupted_twice], _killed))
def test_the_server_finishes_alone_and_the_next_plan_reports_it(
    operator: Operator, server: Server, ends: Callable[[subprocess.Popen[str]], None]
) -> None:
    crossing, process = _begun(operator, server)
    ends(process)
    busy = operator.run("plan")
    assert (busy.returncode, "another run is at work on this server: " in busy.stdout) == (3, True)
    refused = operator.run("apply", "--yes", *VAULT)
    assert refused.returncode == 3, refused
    assert "another run is at work on this server: " in refused.stdout
    assert ", since 2" in refused.stdout

    crossing.go()
    _ended(server)
    token = operator.token(server.name, "")
    assert server.request("GET", USERS, "", token)[0] == 200
    for _ in range(2):  # a plan does not acknowledge the result
        plan = operator.run("plan")
        assert plan.returncode == 0, plan
        assert "finished by itself after it lost the connection: committed" in plan.stdout
    applied = operator.run("apply", "--yes", *VAULT)
    assert (applied.returncode, "finished by itself" in applied.stdout) == (0, True)
    assert "finished by itself" not in operator.run("plan").stdout


def test_the_server_rolls_back_alone_and_the_next_apply_converges(
    operator: Operator, server: Server
) -> None:
    before = server.settings.read_bytes()
    crossing, process = _begun(operator, server)
    _killed(process)
    crossing.go("fail")
    _ended(server)
    assert server.settings.read_bytes() == before
    plan = operator.run("plan")
    assert plan.returncode == 2, plan
    assert "rolled back (restart: sh exited with status 1" in plan.stdout
    crossing.go()
    applied = operator.run("apply", "--yes", *VAULT)
    assert applied.returncode == 0, applied
    assert "finished by itself" not in operator.run("plan").stdout


def test_a_second_controller_waits_and_names_the_first(operator: Operator, server: Server) -> None:
    crossing, first = _begun(operator, server)
    second = operator.start("apply", "--yes", *VAULT, "--lock-timeout", "60")
    said = second.stdout
    assert said is not None
    until(lambda: "lock: waiting for " in said.readline(), "it does not wait")
    crossing.go()
    for process in (first, second):
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
    assert operator.run("plan").returncode == 0

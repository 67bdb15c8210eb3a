"""`status` on the lab: what the servers have logged of real requests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab import Server
from tests.lab.operator import VAULT, Operator
from tests.lab.provider import okta
from tests.matrix import sample

pytestmark = pytest.mark.needs_sshd

One = Callable[..., Server]
AGENT = {"User-Agent": "Okta SCIM Client 1.0.0"}
LIST = "/scim/v2/Users?startIndex=1&count=2"


def send(server: Server, realm: str, token: str, path: str = LIST, program: str = "") -> int:
    """Send a request as a program: the identity provider if no name is given."""
    headers = {"User-Agent": program} if program else AGENT
    return server.request("GET", path, realm, token, headers)[0]


def activity(operator: Operator, *options: str, code: int) -> dict[str, dict[str, Any]]:
    done = operator.run("status", "--format", "json", *options)
    assert done.returncode == code, done
    (server,) = json.loads(done.stdout)["servers"]
    return {each["realm"]: each for each in server["activity"]}


@pytest.mark.parametrize("version", sample(["5.6", "9.0", "12.1"], "9.0"))
def test_a_provider_that_gets_in_and_one_that_does_not(
    operator: Operator, one: One, version: str
) -> None:
    realms: dict[str, Any] = {"": {"idp": "entra"}, "acme": {}, "wiki": {}}
    server = one({"scim_realms": realms}, version=version, realms=[*realms])
    assert operator.apply().returncode == 0
    tokens = {realm: operator.token(server.name, realm) for realm in realms}
    found = activity(operator, code=0)
    assert {each["state"] for each in found.values()} == {"not seen"}  # ours do not count

    for realm in ("", "acme"):
        assert send(server, realm, tokens[realm]) == 200
    assert send(server, "acme", "wrong", "/scim/v2/Users/ada@example.com", "zgrab/0.x") == 401
    assert send(server, "acme", "wrong", program="(scim-client:okta:realm:3 via x") == 401
    found = activity(operator, code=0)
    assert [found[realm]["state"] for realm in ("", "acme", "wiki")] == ["ok", "ok", "not seen"]
    assert found["acme"]["hour"] == found["acme"]["day"] == {"200": 1}
    assert found["acme"]["last_accepted"]["request"] == "GET Users"
    assert found["acme"]["other_programs"]["day"] == 1

    assert send(server, "acme", "old") == 401
    assert send(server, "acme", "old") == 401
    found = activity(operator, code=2)
    assert [found[realm]["state"] for realm in ("", "acme")] == ["ok", "failing"]
    assert (found["acme"]["failing_requests"], found["acme"]["hour"]) == (2, {"200": 1, "401": 2})

    done = operator.run("status", "--realm", "acme")
    assert "failing: realm acme: requests have failed since 2" in done.stdout
    assert "scimconf verify" in done.stdout
    assert "wiki" not in done.stdout
    assert "ada" not in done.stdout + done.stderr
    assert send(server, "acme", tokens["acme"]) == 200
    assert activity(operator, code=0)["acme"]["state"] == "ok"


def test_silence(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}, "wiki": {}}}, realms=["acme", "wiki"])
    assert operator.apply().returncode == 0
    assert send(server, "acme", operator.token(server.name, "acme")) == 200
    log = server.logs / "server.log"
    then = time.time() - 3 * 3600
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(then))
    lines = [f"{stamp}{each[19:]}" for each in log.read_text().splitlines()]
    log.write_text("".join(f"{each}\n" for each in lines))
    os.utime(log, (then, then))
    assert activity(operator, code=0)["acme"]["hour"] == {}
    assert activity(operator, "--silent-for", "4h", "--realm", "acme", code=0)
    found = activity(operator, "--silent-for", "90m", code=2)
    assert [found[realm]["state"] for realm in ("acme", "wiki")] == ["silent", "silent"]
    assert "longer than 1 h 30 min" in found["acme"]["message"]


def test_rotated_logs_are_read_too(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, realms=["acme"])
    assert operator.apply().returncode == 0
    assert send(server, "acme", operator.token(server.name, "acme")) == 200
    (server.logs / "server.log").rename(server.logs / "server.log.1")
    assert send(server, "acme", "old") == 401
    found = activity(operator, code=2)["acme"]
    assert (found["state"], found["hour"]) == ("failing", {"200": 1, "401": 1})


def test_a_whole_provisioning_cycle(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, realms=["acme"])
    assert operator.apply().returncode == 0

    def check(holds: bool, what: str) -> None:
        assert holds, what

    okta(check, server, "acme", operator.token(server.name, "acme"))
    found = activity(operator, code=0)["acme"]
    assert found["hour"] == {"200": 3, "201": 1}
    assert found["last_accepted"]["request"] == "GET Users"


def test_metrics(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, realms=["acme"])
    assert operator.apply().returncode == 0
    assert send(server, "acme", operator.token(server.name, "acme")) == 200
    assert send(server, "acme", "old") == 401
    assert operator.run("status", "--report", "idp.prom").returncode == 2
    text = (operator.folder / "idp.prom").read_text()
    where = f'report="idp",server="{server.name}",realm="acme"'
    assert f"scimconf_provider_failing{{{where}}} 1\n" in text
    assert f'scimconf_provider_requests_last_hour{{{where},status="401"}} 1\n' in text
    assert f"scimconf_provider_last_accepted_timestamp_seconds{{{where}}} 1" in text


def test_a_realm_that_zulip_does_not_have(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}, "new": {}}}, realms=["acme"])
    send(server, "acme", "wrong")  # the log begins with the first request
    found = activity(operator, code=2)
    assert [found[realm]["state"] for realm in ("acme", "new")] == ["not seen", "no such realm"]


def test_a_server_whose_log_cannot_be_read(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, realms=["acme"])
    (server.logs / "server.log").unlink(missing_ok=True)
    done = operator.run("status")
    assert done.returncode == 1
    assert "there is no" in done.stdout
    with server.without_database():
        assert "manage.py shell exited" in operator.run("status").stdout


@pytest.mark.parametrize("period", ["0h", "2", "2w", "-1h", "²h"])
def test_a_wrong_period(operator: Operator, period: str) -> None:
    done = operator.run("status", f"--silent-for={period}")
    assert (done.returncode, "90m, 12h or 3d" in done.stderr) == (64, True)


@contextmanager
def started(operator: Operator, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start scimconf. Stop it at the end if it still runs."""
    with operator.start(*arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], text: str) -> str:
    """Return what a process has printed up to the line with a text."""
    said = ""
    assert process.stdout
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


def test_rotate_waits_for_the_provider(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, realms=["acme"])
    assert operator.apply().returncode == 0
    old = operator.token(server.name, "acme")
    assert send(server, "acme", old) == 200
    with started(operator, "rotate", "--yes", "--wait", "5", *VAULT) as process:
        said = until(process, "waiting for the identity provider of acme")
        assert re.search("handoff .*--show-tokens chat", said)
        assert send(server, "acme", old) == 401
        assert send(server, "acme", operator.token(server.name, "acme")) == 200
        rest = process.communicate()[0]
    assert process.returncode == 0, rest
    assert re.search(r"ok: realm acme: the identity provider got in at 2.* in that time\n", rest)
    done = operator.run("verify", "--wait", "5", *VAULT)  # it has got in since the change
    assert (done.returncode, "after the change" in done.stdout) == (0, True), done


def test_ctrl_c_while_verify_waits(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"acme": {}}}, realms=["acme"])
    assert operator.apply().returncode == 0
    with started(operator, "verify", "--wait", "5", *VAULT) as process:
        until(process, "waiting for the identity provider of acme")
        process.send_signal(signal.SIGINT)
        rest = process.communicate()[0]
    assert process.returncode == 130, rest
    assert f"{server.name}  Zulip 9.0  needs attention" in rest
    assert "not back: realm acme: no good request of the identity provider in" in rest


def test_wait_and_stage_exclude_each_other(operator: Operator, one: One) -> None:
    one({"scim_realms": {"acme": {}}}, realms=["acme"])
    done = operator.run("rotate", "--stage", "--wait", "5", *VAULT)
    assert (done.returncode, "use --wait with --activate" in done.stderr) == (64, True)

"""Batches, a time limit and the hosts that failed, on servers of the lab and off it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf.batches import strategy
from scimconf.cli.change import _in_batches
from scimconf.model import Outcome, Plan, Status
from scimconf.survey import Surveyed
from tests.cli.conftest import Run
from tests.factories import desired, realm
from tests.lab import Server
from tests.lab.crossing import Crossing, until
from tests.lab.operator import Operator

HEAD = "# Written by scimconf --failed-hosts; for --limit @FILE.\n"
BROKEN = {"scim_restart": ["/bin/true"], "scim_gate_timeout": 1}
"""A restart that restarts nothing does not pass the gate."""


@pytest.mark.needs_sshd
def test_a_canary_that_fails_then_the_hosts_that_failed(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    canary, other = lab_server(version="9.0"), lab_server(version="12.1")
    realms = {"scim_realms": {"": {}}}
    operator.write_inventory({canary.name: {**realms, **BROKEN}, other.name: realms})
    before = canary.settings.read_bytes(), other.settings.read_bytes()
    noted = operator.folder / "failed"
    options = ("--canary", "1", "--serial", "25%", "--failed-hosts", "failed")
    done = operator.apply(*options, "--format", "json")
    assert done.returncode == 4, done
    said = json.loads(done.stdout)
    assert said["summary"] == {"rolled back": 1, "skipped": 1}
    assert said["servers"][1]["message"] == f"not begun: {canary.name} is rolled back"
    assert (canary.settings.read_bytes(), other.settings.read_bytes()) == before
    assert noted.read_text() == f"{HEAD}{canary.name}\n{other.name}\n"
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600

    operator.write_inventory({canary.name: realms, other.name: realms})
    again = operator.apply("--limit", "@failed", *options, "--format", "json")
    assert again.returncode == 0, again
    assert json.loads(again.stdout)["summary"] == {"changed": 2}
    assert {
        check["result"] for each in json.loads(again.stdout)["servers"] for check in each["checks"]
    } == {"ok"}
    assert not noted.exists()


@pytest.mark.needs_sshd
def test_a_server_that_takes_too_long_is_left_to_itself(
    operator: Operator, lab_server: Callable[..., Server]
) -> None:
    server = lab_server(version="9.0")
    crossing = Crossing(server)
    variables = {"scim_realms": {"": {}}, "scim_restart": crossing.restart}
    operator.write_inventory({server.name: variables})
    done = operator.apply("--time-limit", "10")
    assert done.returncode == 1, done
    assert "time limit: hung up after 10 s (--time-limit)" in done.stdout
    crossing.go()
    alone = "finished by itself after its controller was gone: committed"
    until(lambda: alone in operator.run("plan").stdout, "it does not end")
    token = operator.token(server.name, "")
    assert server.request("GET", "/scim/v2/Users", "", token)[0] == 200


def test_hosts_that_are_not_reached_are_tried_again_and_noted(
    scimconf: Run, tmp_path: Path
) -> None:
    done = scimconf("plan", "chat1*", "--retries", "1", "--failed-hosts", "failed", "-q")
    assert done.returncode == 3
    assert "refused the connection (tried 2 times)" in done.stdout
    assert (tmp_path / "failed").read_text() == f"{HEAD}chat1.example.com\n"
    assert scimconf("inventory", "list").returncode == 0
    again = scimconf("plan", "--limit", "@failed", "--format", "json")
    assert [each["server"] for each in json.loads(again.stdout)["servers"]] == ["chat1.example.com"]


def test_what_is_no_list_of_failed_hosts_stays(scimconf: Run, tmp_path: Path) -> None:
    for text in ("mine\n", f"{HEAD}gone\n"):
        (tmp_path / "failed").write_text(text)
        done = scimconf("plan", "chat1*", "--failed-hosts", "failed", "-q")
        ours = text.startswith(HEAD)
        assert done.returncode == (3 if ours else 1)
        assert ("was not written by --failed-hosts" in done.stderr) is not ours
        expected = f"{HEAD}chat1.example.com\n" if ours else text
        assert (tmp_path / "failed").read_text() == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--out", "tokens.yaml"),
        ("plan", "--report", "link.html"),
        ("apply", "--yes", "--failed-hosts", "inventory.yaml"),
        ("handoff", "--out", "./inventory.yaml"),
    ],
)
def test_what_a_run_reads_it_does_not_write(
    scimconf: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "tokens.yaml").touch()
    (tmp_path / "link.html").symlink_to("inventory.yaml")
    before = (tmp_path / "inventory.yaml").read_bytes()
    done = scimconf(*arguments)
    assert done.returncode == 64
    assert "is not written: this run reads" in done.stderr
    assert (tmp_path / "inventory.yaml").read_bytes() == before
    assert (tmp_path / "tokens.yaml").read_bytes() == b""


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--out", "place"),
        ("plan", "--report", "place.html"),
        ("apply", "--yes", "--failed-hosts", "place"),
        ("handoff", "--out", "place"),
    ],
)
@pytest.mark.parametrize("what", ["link", "pipe"])
def test_nothing_that_was_planted_is_written_into(
    scimconf: Run, tmp_path: Path, arguments: tuple[str, ...], what: str
) -> None:
    place = tmp_path / arguments[-1]
    if what == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("elsewhere")
    done = scimconf(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"is not written: it is a {what}" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_a_result_goes_to_what_the_shell_opened(scimconf: Run) -> None:
    reading, writing = os.pipe()
    done = scimconf("handoff", "--out", f"/dev/fd/{writing}")
    os.close(writing)
    with os.fdopen(reading) as sheets:
        assert "When it is done: scimconf verify" in sheets.read()
    assert done.returncode == 0


def test_a_file_that_cannot_be_written_fails_a_run_that_was_well(
    scimconf: Run, tmp_path: Path
) -> None:
    done = scimconf("plan", "chat1*", "--failed-hosts", "none/failed")
    assert done.returncode == 1
    assert "unreachable" in done.stdout
    assert "error: cannot write none/failed" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--serial", "5;6"), ("--max-fail", "some"), ("--serial", "")]
)
def test_sizes_that_are_none(scimconf: Run, option: str, value: str) -> None:
    done = scimconf("apply", "--yes", option, value)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"error: {option} takes numbers and per cents, as 3 or 30%" in done.stderr


def test_the_question_names_the_batches() -> None:
    def looked(number: int) -> Surveyed:
        name = f"chat{number}"
        outcome = Outcome(name, Status.PENDING if number % 2 else Status.OK, plan=Plan(name, "9.0"))
        return Surveyed(desired(realm(), name=name, deployment=name), outcome)

    fleet = [looked(number) for number in range(40)]
    assert _in_batches(fleet, strategy(None, None, None)) == ""
    assert _in_batches(fleet, strategy("1,25%", None, None)) == " in 3 batches of 1, 10, 9"
    assert _in_batches(fleet, strategy("2", None, None)) == (
        " in 10 batches of 2, 2, 2, 2, 2, 2, 2, 2, ..."
    )

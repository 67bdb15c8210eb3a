"""Batches, slow servers and lists of failed hosts, some on servers of the lab."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf.fleet.batches import strategy
from scimconf.fleet.look import Looked
from scimconf.model import Outcome, Plan, Status
from scimconf.run.changes import in_batches
from tests.cli.conftest import Run
from tests.factories import desired, realm
from tests.lab import Server
from tests.lab.operator import Operator

HEAD = "# Written by scimconf --failed-hosts; for --limit @FILE.\n"
BROKEN = {"scim_restart": ["/bin/true"], "scim_gate_timeout": 1}
"""A restart command that does nothing, so the change fails its gate."""


@pytest.mark.needs_sshd
def test_a_failed_canary_stops_the_run_and_failed_hosts_are_repeated(
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
    assert said["servers"][1]["message"] == f"not started: {canary.name} is rolled back"
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
def test_look_timeout(one: Callable[..., Server], operator: Operator) -> None:
    one({"scim_realms": {"": {}}}, version="9.0")
    done = operator.run("plan", "--look-timeout", "0.000001", "--format", "json")
    assert done.returncode == 1, done
    assert "--look-timeout" in done.stdout


def test_unreachable_hosts_are_retried_and_written_to_failed_hosts(
    scimconf: Run, tmp_path: Path
) -> None:
    done = scimconf("plan", "chat1*", "--retries", "1", "--failed-hosts", "failed", "-q")
    assert done.returncode == 3
    assert "refused the connection (tried 2 times)" in done.stdout
    assert (tmp_path / "failed").read_text() == f"{HEAD}chat1.example.com\n"
    assert scimconf("inventory", "list").returncode == 0
    again = scimconf("plan", "--limit", "@failed", "--format", "json")
    assert [each["server"] for each in json.loads(again.stdout)["servers"]] == ["chat1.example.com"]


def test_a_file_that_is_no_list_of_failed_hosts_is_left_unchanged(
    scimconf: Run, tmp_path: Path
) -> None:
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
def test_a_run_does_not_overwrite_its_inputs(
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
def test_links_and_pipes_are_not_written_to(
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


def test_a_result_can_be_written_to_an_open_descriptor(scimconf: Run) -> None:
    reading, writing = os.pipe()
    done = scimconf("handoff", "--out", f"/dev/fd/{writing}")
    os.close(writing)
    with os.fdopen(reading) as sheets:
        assert "When it is done: scimconf verify" in sheets.read()
    assert done.returncode == 0


def test_an_unwritable_file_fails_the_run(scimconf: Run, tmp_path: Path) -> None:
    done = scimconf("plan", "chat1*", "--failed-hosts", "none/failed")
    assert done.returncode == 1
    assert "unreachable" in done.stdout
    assert "error: cannot write none/failed" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--serial", "5;6"), ("--max-fail", "some"), ("--serial", "")]
)
def test_invalid_sizes(scimconf: Run, option: str, value: str) -> None:
    done = scimconf("apply", "--yes", option, value)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"error: {option} takes numbers or percentages" in done.stderr


def test_the_question_names_the_batches() -> None:
    def looked(number: int) -> Looked:
        name = f"chat{number}"
        outcome = Outcome(
            name,
            Status.PENDING if number % 2 else Status.OK,
            plan=Plan(name, "9.0"),
        )
        return Looked(desired(realm(), name=name, deployment=name), outcome)

    fleet = [looked(number) for number in range(40)]
    assert in_batches(fleet, strategy(None, None, None)) == ""
    assert in_batches(fleet, strategy("1,25%", None, None)) == " in 3 batches of 1, 10, 9"
    assert in_batches(fleet, strategy("2", None, None)) == (
        " in 10 batches of 2, 2, 2, 2, 2, 2, 2, 2, ..."
    )

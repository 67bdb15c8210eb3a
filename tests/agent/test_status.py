"""What the agent reports of each realm's identity provider."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import shell, status
from scimconf.agent.errors import AgentError
from tests.agent.test_server_log import line

OKTA = "Okta SCIM Client"
Report = Callable[..., dict[str, Any]]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Return the answer about a log with these lines: the age in seconds, who, and the rest."""
    asked: list[object] = []

    def zulip(deployment: str, code: str, argument: object) -> dict[str, Any]:
        asked.append(argument)
        return {"ids": {"acme": 3, "": 2}, "log": str(tmp_path / "server.log")}

    monkeypatch.setattr(shell, "ask", zulip)
    status._found.cache_clear()

    def call(*requests: tuple[float, str, str, int], **extra: Any) -> dict[str, Any]:
        now = time.time()
        lines = [
            line(who=who, program=program, status=code, at=now - age)
            for age, who, program, code in requests
        ]
        (tmp_path / "server.log").write_text("".join(f"{each}\n" for each in lines))
        paths = dict.fromkeys(("settings", "secrets", "deployment", "user"), "/x")
        answer = status.status({"paths": paths, "realms": ["", "acme", "new"], **extra})
        json.dumps(answer)
        assert len(asked) == 1
        assert set(answer["realms"]) == {"", "acme"}  # "new" does not exist
        return dict(answer["realms"]["acme"])

    return call


def accepted(age: float, code: int = 200, program: str = OKTA) -> tuple[float, str, str, int]:
    return age, "scim-client:okta:realm:3", program, code


def refused(age: float, program: str = OKTA, realm: str = "acme") -> tuple[float, str, str, int]:
    return age, f"unauth@{realm}", program, 401


def test_requests_are_counted_by_status_for_the_last_hour_and_day(report: Report) -> None:
    said = report(
        accepted(90_000), accepted(9000, 201), accepted(9000), accepted(60, 409), accepted(30)
    )
    assert said["hour"] == {"409": 1, "200": 1}
    assert said["day"] == {"201": 1, "200": 2, "409": 1}
    assert said["accepted"]["at"] == pytest.approx(time.time() - 30, abs=5)
    assert (said["accepted"]["status"], said["accepted"]["request"]) == (200, "GET Users")
    assert (said["refused"], said["failing"]) == (None, None)


def test_a_provider_that_used_to_get_in_is_failing(report: Report) -> None:
    said = report(refused(900), accepted(600), refused(300), refused(200), refused(100))
    assert said["failing"]["requests"] == 3
    assert said["failing"]["since"] == pytest.approx(time.time() - 300, abs=5)
    assert said["refused"]["at"] == pytest.approx(time.time() - 100, abs=5)


def test_a_provider_that_gets_in_again_is_not_failing(report: Report) -> None:
    said = report(accepted(600), refused(300), accepted(100))
    assert said["failing"] is None
    assert said["refused"]["status"] == 401


def test_a_scanner_is_no_identity_provider(report: Report) -> None:
    said = report(accepted(600), refused(300, "zgrab"), refused(100, "Mozilla"))
    assert (said["failing"], said["refused"], said["hour"]) == (None, None, {"200": 1})
    assert (said["strangers"]["hour"], said["strangers"]["day"]) == (2, 2)


def test_another_realm_does_not_count(report: Report) -> None:
    said = report(
        accepted(600), refused(300, realm="wiki"), (5, "scim-client:x:realm:2", OKTA, 200)
    )
    assert (said["failing"], said["day"]) == (None, {"200": 1})


def test_server_errors_are_failures_but_501_is_not(report: Report) -> None:
    assert report(accepted(600), accepted(300, 501))["failing"] is None
    said = report(accepted(600), accepted(300, 500))
    assert (said["failing"]["requests"], said["refused"]["status"]) == (1, 500)


def test_our_own_requests_do_not_count(report: Report) -> None:
    said = report(accepted(600), accepted(300, program="scimconf"), refused(100, "scimconf"))
    assert said["accepted"]["at"] == pytest.approx(time.time() - 600, abs=5)
    assert (said["failing"], said["strangers"]["day"]) == (None, 0)


def test_a_line_from_the_future_does_not_count(report: Report) -> None:
    said = report(accepted(600), refused(300), accepted(-3600))
    assert said["failing"]["requests"] == 1


def test_a_flood_of_programs_is_bounded(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_MOST_PROGRAMS", 10)
    said = report(accepted(600), *(refused(100 + each, f"bot {each}x") for each in range(50)))
    assert (said["strangers"]["hour"], said["failing"]) == (50, None)


def test_only_requests_after_a_moment_count_while_a_run_waits(report: Report) -> None:
    now = time.time()
    said = report(accepted(600), accepted(300), accepted(200), refused(100), since=now - 400)
    assert said["first"]["at"] == pytest.approx(now - 300, abs=5)
    assert said["accepted"]["at"] == pytest.approx(now - 200, abs=5)
    assert said["failing"]["requests"] == 1
    assert report(accepted(600), since=now - 400)["accepted"] is None


def test_nothing_that_may_name_a_person_leaves_the_server(report: Report, tmp_path: Path) -> None:
    now = time.time()
    path = "/scim/v2/Users/ada@example.com"
    texts = [
        line(path, "scim-client:okta:realm:3", "Ada's laptop", status=200, at=now - 9),
        line(path, "unauth@acme", "Bob's laptop", at=now - 5),
    ]
    report()
    (tmp_path / "server.log").write_text("".join(f"{each}\n" for each in texts))
    paths = dict.fromkeys(("settings", "secrets", "deployment", "user"), "/x")
    said = json.dumps(status.status({"paths": paths, "realms": ["", "acme", "new"]}))
    assert "GET Users" in said
    for word in ("ada", "Ada", "Bob", "10.0.0.1", "example"):
        assert word not in said


@pytest.mark.parametrize("wrong", [{}, {"realms": 5}, {"realms": [], "since": "soon"}])
def test_an_invalid_request(wrong: dict[str, Any]) -> None:
    paths = dict.fromkeys(("settings", "secrets", "deployment", "user"), "/x")
    with pytest.raises(AgentError):
        status.status({"paths": paths, **wrong})

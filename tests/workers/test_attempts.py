"""A worker died during a change; the answer of the second attempt is not the whole truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scimconf.fleet.job import Apply, Changed, Observe
from scimconf.fleet.look import Looked, planned_and_acknowledged
from scimconf.model import Action, ActionKind, Desired, Outcome, Plan, Status
from scimconf.workers import attempts
from scimconf.workers.attempts import settle
from tests.factories import desired, observed, realm

ACTIONS = (Action(ActionKind.SET_REALM, "acme", "t"),)


def _plan(name: str, **changes: Any) -> Plan:
    values: dict[str, Any] = {"actions": ACTIONS, "settings_sha256": "1", "secrets_sha256": "2"}
    return Plan(name, "9.0", **values | changes)


def _wanted(name: str) -> Desired:
    return desired(realm(), name=name, deployment="zulip")


def _pending(name: str) -> Looked:
    outcome = Outcome(name, Status.PENDING, plan=_plan(name))
    return Looked(_wanted(name), outcome, observed())


def _now(status: Status, **changes: Any) -> Callable[[str], Looked]:
    return lambda name: Looked(
        _wanted(name), Outcome(name, status, plan=_plan(name, **changes)), observed()
    )


class _Servers:
    """Answers observations; each server's states are used one after the other."""

    def __init__(self, **states: list[Callable[[str], Looked]]) -> None:
        self.states = states

    def __call__(self, job: Any) -> Looked:
        assert isinstance(job, Observe)
        assert job.look is planned_and_acknowledged
        (server,) = job.servers
        left = self.states[server.name]
        return (left.pop(0) if len(left) > 1 else left[0])(server.name)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(attempts.time, "sleep", waited.append)
    return waited


def _settle(servers: _Servers, *statuses: Status) -> tuple[list[Status], list[str]]:
    """Return the statuses, and the servers that are left to change."""
    looked = tuple(_pending(name) for name in servers.states)
    outcomes = tuple(
        Outcome(each.server.name, status, "second attempt")
        for each, status in zip(looked, statuses, strict=True)
    )
    changed, left = settle(Apply(looked, {}), Changed(outcomes), servers, 60)
    again = [each.server.name for each in left.looked if each.pending] if left else []
    return [each.status for each in changed.outcomes], again


@pytest.mark.parametrize("status", [Status.FAILED, Status.BUSY, Status.UNREACHABLE])
def test_a_server_that_has_the_wanted_state_was_changed(status: Status) -> None:
    looked = _pending("a")
    answer = Changed((Outcome("a", status, "stale"),))
    servers = _Servers(a=[_now(Status.OK, actions=())])
    changed, left = settle(Apply((looked,), {}), answer, servers, 60)
    (outcome,) = changed.outcomes
    assert (outcome.status, outcome.in_force, left) == (Status.CHANGED, True, None)
    assert outcome.plan == looked.plan
    assert "a worker that died" in outcome.message


def test_it_waits_while_the_first_attempt_is_at_work(pauses: list[float]) -> None:
    servers = _Servers(a=[_now(Status.BUSY), _now(Status.BUSY), _now(Status.OK)])
    assert _settle(servers, Status.BUSY) == ([Status.CHANGED], [])
    assert len(pauses) == 2


def test_a_server_that_is_as_before_is_changed_again() -> None:
    servers = _Servers(a=[_now(Status.PENDING)])
    assert _settle(servers, Status.BUSY) == ([Status.BUSY], ["a"])


@pytest.mark.parametrize("other", [{"settings_sha256": "3"}, {"actions": ()}])
def test_a_server_that_needs_another_change_is_left_alone(other: dict[str, Any]) -> None:
    """Nobody has approved that change."""
    servers = _Servers(a=[_now(Status.PENDING, **other)])
    assert _settle(servers, Status.FAILED) == ([Status.FAILED], [])


@pytest.mark.parametrize("status", [Status.UNREACHABLE, Status.BUSY, Status.FAILED])
def test_a_server_that_cannot_be_observed_may_be_changed(status: Status) -> None:
    """Its identity provider must not be started again with the old token."""

    def look(job: Any) -> Looked:
        return Looked(_wanted("a"), Outcome("a", status))

    changed, left = settle(
        Apply((_pending("a"),), {}), Changed((Outcome("a", status, "second"),)), look, 0
    )
    (outcome,) = changed.outcomes
    assert (outcome.status, outcome.unknown, left) == (status, True, None)


@pytest.mark.parametrize("status", [Status.CHANGED, Status.ROLLED_BACK, Status.ROLL_BACK_FAILED])
def test_what_the_second_attempt_has_proved_stays(status: Status) -> None:
    servers = _Servers(a=[])
    assert _settle(servers, status) == ([status], [])


def test_the_rest_of_a_deployment_is_left_to_do() -> None:
    """The first worker changed `a` and died. The second one found other files, and stopped."""
    servers = _Servers(a=[_now(Status.OK, actions=())], b=[_now(Status.PENDING)])
    statuses, again = _settle(servers, Status.FAILED, Status.SKIPPED)
    assert statuses == [Status.CHANGED, Status.SKIPPED]
    assert again == ["b"]


def test_a_server_without_changes_is_not_observed() -> None:
    fine = replace(_pending("a"), outcome=Outcome("a", Status.OK))
    changed, left = settle(Apply((fine,), {}), Changed((fine.outcome,)), _Servers(a=[]), 60)
    assert (changed.outcomes, left) == ((fine.outcome,), None)

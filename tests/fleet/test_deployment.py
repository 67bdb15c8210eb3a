"""The servers of one deployment: all are changed, or none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scimconf.fleet.deployment import change_deployment, deployments
from scimconf.fleet.look import Looked
from scimconf.model import Outcome, Plan, Status
from tests.factories import desired, realm


def _looked(name: str, status: Status = Status.PENDING, deployment: str = "zulip") -> Looked:
    wanted = desired(realm(), name=name, deployment=deployment)
    return Looked(wanted, Outcome(name, status, plan=Plan(name, "9.0")))


class _Work:
    """Change servers with the given outcomes, and record the order."""

    def __init__(self, undone: Status = Status.CHANGED, **statuses: Status) -> None:
        self.statuses = statuses
        self.undone = undone
        self.did: list[str] = []

    def change(self, each: Looked) -> Outcome:
        name = each.outcome.server
        self.did.append(f"change {name}")
        return Outcome(name, self.statuses.get(name, Status.CHANGED), run=f"run of {name}")

    def take_back(self, each: Looked, outcome: Outcome) -> Outcome:
        self.did.append(f"undo {outcome.run}")
        return Outcome(outcome.server, self.undone, "why", "do this")


def _statuses(outcomes: list[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


def test_servers_are_grouped_by_deployment_in_the_order_of_the_inventory() -> None:
    looked = [
        _looked("a", deployment="x"),
        _looked("b", deployment="y"),
        _looked("c", deployment="x"),
    ]
    assert [[each.outcome.server for each in unit] for unit in deployments(looked)] == [
        ["a", "c"],
        ["b"],
    ]


def test_servers_of_a_deployment_are_changed_one_after_the_other() -> None:
    work = _Work()
    looked = [_looked("a"), _looked("b", Status.OK), _looked("c")]
    outcomes = change_deployment(looked, work.change, work.take_back)
    assert _statuses(outcomes) == [Status.CHANGED, Status.OK, Status.CHANGED]
    assert work.did == ["change a", "change c"]


@pytest.mark.parametrize("bad", [Status.ROLLED_BACK, Status.FAILED, Status.ROLL_BACK_FAILED])
def test_if_one_server_fails_the_others_are_rolled_back(bad: Status) -> None:
    work = _Work(b=bad)
    looked = [_looked("a"), _looked("b"), _looked("c")]
    outcomes = change_deployment(looked, work.change, work.take_back)
    assert _statuses(outcomes) == [Status.ROLLED_BACK, bad, Status.SKIPPED]
    assert work.did == ["change a", "change b", "undo run of a"]
    assert (
        outcomes[0].message == f"rolled back, because b of the same deployment is {bad.value}: why"
    )
    assert outcomes[2].message == f"not started: b of the same deployment is {bad.value}"


def test_a_server_that_cannot_be_rolled_back_is_reported() -> None:
    work = _Work(undone=Status.ROLLED_BACK, b=Status.FAILED)
    outcomes = change_deployment([_looked("a"), _looked("b")], work.change, work.take_back)
    assert _statuses(outcomes) == [Status.ROLL_BACK_FAILED, Status.FAILED]
    assert "not rolled back, although" in outcomes[0].message
    assert outcomes[0].hint == "do this"


@pytest.mark.parametrize("bad", [Status.UNREACHABLE, Status.FAILED, Status.SKIPPED])
def test_no_server_is_changed_if_one_cannot_be_planned(bad: Status) -> None:
    work = _Work()
    outcomes = change_deployment([_looked("a"), _looked("b", bad)], work.change, work.take_back)
    assert _statuses(outcomes) == [Status.SKIPPED, bad]
    assert work.did == []
    assert "--limit '!b'" in outcomes[0].hint


def test_without_a_rollback_the_remaining_servers_are_skipped() -> None:
    work = _Work(b=Status.FAILED)
    looked = [_looked("a"), _looked("b"), _looked("c")]
    outcomes = change_deployment(looked, work.change, None)
    assert _statuses(outcomes) == [Status.CHANGED, Status.FAILED, Status.SKIPPED]


@pytest.mark.parametrize("which", ["change", "take back"])
def test_a_bug_in_scimconf_becomes_an_outcome(which: str) -> None:
    work = _Work(b=Status.FAILED)

    def broken(*_: object) -> Outcome:
        raise KeyError("a token could stand here")

    change: Callable[[Looked], Outcome] = broken if which == "change" else work.change
    outcomes = change_deployment([_looked("a"), _looked("b")], change, broken)
    assert "token" not in f"{outcomes}"
    assert "bug in scimconf: KeyError" in outcomes[0].message

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from scimconf.errors import HostError
from scimconf.fleet.observe import Message
from scimconf.fleet.undo import look, undo_or_recover
from scimconf.model import ActionKind, Status
from tests.factories import realm, server


class _Scripted:
    def __init__(self, **answer: Any) -> None:
        self.answer = {"final": True, "message": "m", "hint": "h", "run": "", "diff": "", **answer}
        self.asked: list[Message] = []
        self.patience: list[float | None] = []

    def ask(self, request: Message, seconds: float | None = None) -> Iterable[Message]:
        self.asked.append(request)
        self.patience.append(seconds)
        if request["do"] == "acknowledge":
            raise HostError("agent", "gone")
        return [self.answer]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("committed", Status.CHANGED),
        ("recovered", Status.CHANGED),
        ("nothing", Status.OK),
        ("touched", Status.FAILED),
        ("busy", Status.BUSY),
        ("rolled back", Status.ROLLED_BACK),
        ("roll-back failed", Status.ROLL_BACK_FAILED),
    ],
)
def test_each_result_has_its_status(result: str, status: Status) -> None:
    agent = _Scripted(result=result, run="0123")
    outcome = undo_or_recover(agent, server(realm()), "undo", "0123")
    assert (outcome.status, outcome.message, outcome.hint, outcome.run) == (
        status,
        "m",
        "h",
        "0123",
    )
    assert agent.asked[0]["run"] == "0123"
    # If the connection breaks now, the result is already known.
    assert agent.asked[1]["do"] == "acknowledge"


def test_a_look_is_a_plan_of_one_action() -> None:
    agent = _Scripted(result="pending", message="undo the run of yesterday", run="0", diff="-a\n")
    outcome = look(agent, server(realm()), "undo")
    assert outcome.status is Status.PENDING
    assert outcome.plan is not None
    (action,) = outcome.plan.actions
    assert (action.kind, action.text) == (ActionKind.UNDO, "undo the run of yesterday")
    assert (outcome.plan.diff, outcome.message, outcome.run) == ("-a\n", "", "0")
    assert [request["do"] for request in agent.asked] == ["undo"]
    assert agent.asked[0]["look"] is True
    assert agent.patience == [None]  # None: the time limit of an observation


def test_changes_since_the_run_are_shown() -> None:
    outcome = undo_or_recover(_Scripted(result="touched", diff="+x\n"), server(realm()), "undo")
    assert outcome.plan is not None
    assert outcome.plan.diff == "+x\n"


def test_the_time_limit_includes_lock_restart_and_gate() -> None:
    agent = _Scripted(result="nothing")
    slow = server(realm(), restart_timeout=1000, gate_timeout=100)
    undo_or_recover(agent, slow, "recover", lock_timeout=50)
    assert agent.asked[0]["lock_timeout"] == 50
    assert agent.patience[0] > 2 * 1000 + 2 * 100 + 50

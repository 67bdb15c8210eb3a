"""The answer of a server that may be broken or hostile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scimconf.activity import State
from scimconf.errors import HostError
from scimconf.fleet import status
from scimconf.model import Desired, Status
from tests.factories import realm, server

REQUEST = {"at": 900.0, "status": 200, "request": "GET Users"}
SEEN = {
    "accepted": REQUEST,
    "first": REQUEST,
    "refused": None,
    "failing": None,
    "hour": {"200": 1},
    "day": {"200": 1},
    "strangers": {"last": None, "hour": 0, "day": 0},
}
ANSWER = {
    "final": True,
    "result": "status",
    "now": 1000.0,
    "oldest": 100.0,
    "complete": True,
    "skew": 0.1,
    "changed": None,
    "realms": {"acme": SEEN},
}


class Agent:
    def __init__(self, answer: Mapping[str, object]) -> None:
        self.answer = answer
        self.asked: list[Mapping[str, object]] = []

    def ask(
        self, request: Mapping[str, object], seconds: float | None = None
    ) -> Iterator[Mapping[str, object]]:
        self.asked.append(request)
        yield self.answer


def test_an_answer() -> None:
    agent = Agent(ANSWER)
    gone = realm("old", present=False)
    outcome, observed = status.look(agent, Desired(server(realm(), gone), {}))
    assert (outcome.status, observed) == (Status.OK, None)
    assert [each.state for each in outcome.activity] == [State.OK]
    assert agent.asked[0]["realms"] == ["acme"]
    assert agent.asked[0]["since"] is None


@pytest.mark.parametrize("skew", [7200, -7200])
def test_a_log_in_local_time_is_an_error(skew: float) -> None:
    with pytest.raises(HostError, match=r"2 h (after|before) the time when it was written"):
        status.ask(Agent({**ANSWER, "skew": skew}), server(realm()))


@pytest.mark.parametrize(
    "lie",
    [
        {"now": "soon"},
        {"now": True},
        {"now": float("inf")},
        {"now": float("nan")},
        {"oldest": 1e300},
        {"changed": -9e10},  # before the year 1
        {"complete": 1},
        {"changed": "yes"},
        {"realms": []},
        {"realms": {"acme": 5}},
        *(
            {"realms": {"acme": {**SEEN, **wrong}}}
            for wrong in (
                {"accepted": {**REQUEST, "status": 99_999}},
                {"accepted": {**REQUEST, "request": "x" * 999}},
                {"accepted": {**REQUEST, "at": None}},
                {"hour": {"200": "many"}},
                {"hour": {"9999999999": 1}},
                {"hour": {"\u0664\u0660\u0661": 1}},
                {"hour": {"200": -1}},
                {"day": {"200": 10**30}},
                {"accepted": {**REQUEST, "at": -9e10}},
                {"failing": {"since": 1}},
                {"failing": {"since": -9e10, "requests": 1}},
                {"failing": {"since": 1, "requests": -1}},
                {"strangers": {"last": None, "hour": 10**30, "day": 0}},
                {"strangers": None},
            )
        ),
    ],
)
def test_a_wrong_answer_is_refused(lie: dict[str, Any]) -> None:
    with pytest.raises(HostError, match="invalid response"):
        status.ask(Agent({**ANSWER, **lie}), server(realm()))

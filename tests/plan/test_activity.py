from __future__ import annotations

import pytest

from scimconf.activity import Activity, Seen, SeenRequest, ServerLog, State
from scimconf.model import Deliver, Outcome, Server, Status
from scimconf.plan.activity import duration, judge, with_silence, with_status
from tests.factories import realm, server

NOW = 1_795_885_356.0


def request(age: float, status: int = 200) -> SeenRequest:
    return SeenRequest(NOW - age, status, "GET Users")


def judged(seen: Seen, *, complete: bool = True, age: float = 864_000) -> Activity:
    log = ServerLog(NOW, NOW - age, complete, None, {"acme": seen})
    (found,) = judge(server(realm()), log)
    return found


def test_an_accepted_provider() -> None:
    found = judged(Seen(accepted=request(720), hour={200: 4}, day={200: 9, 201: 1}))
    assert (found.state, found.needs_attention, found.hint) == (State.OK, False, "")
    assert found.message == (
        "last accepted 12 min ago, 2026-11-28 16:50:36 UTC (GET Users, HTTP 200)"
    )
    assert found.details == (
        "last hour: 4 requests (4 with 200); last day: 10 requests (9 with 200, 1 with 201)"
    )


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "another token than Zulip"), (500, "errors.log"), (502, "supervisor")],
)
def test_a_failing_provider(status: int, hint: str) -> None:
    last = request(60, status)
    found = judged(Seen(request(9000), None, last, NOW - 5400, 1, {status: 1}, {status: 1}))
    assert (found.state, found.needs_attention) == (State.FAILING, True)
    assert found.message.startswith(
        "requests have failed since 2026-11-28 15:32:36 UTC (1 h 30 min): 1 request, the last one "
        f"1 min ago, 2026-11-28 17:01:36 UTC (GET Users, HTTP {status}); last accepted 2 h 30 min"
    )
    assert hint in found.hint


def test_a_failing_provider_that_scimconf_delivers_to() -> None:
    one = server(realm(deliver=Deliver("command", {"words": ("./hook",)}, ".")))
    seen = Seen(accepted=request(720), refused=request(60, 401), failing_since=NOW - 90, failing=2)
    (found,) = judge(one, ServerLog(NOW, NOW - 864_000, True, None, {"acme": seen}))
    assert "to deliver the token again: scimconf deliver" in found.hint
    assert "handoff" not in found.hint


def test_nobody_was_accepted() -> None:
    found = judged(Seen())
    assert (found.state, found.needs_attention) == (State.UNSEEN, False)
    assert found.message == "the log has no accepted request"
    assert found.details == "the log goes back to 2026-11-18 17:02:36 UTC"
    stranger = Seen(stranger=request(60, 401), strangers_day=2)
    assert "2 requests in the last day, the last one 1 min ago" in judged(stranger).details
    assert "scimconf verify chat1 --realm acme" in judged(stranger).hint


def test_a_log_that_was_not_read_completely() -> None:
    found = judged(Seen(accepted=request(60)), complete=False, age=600)
    assert found.details.endswith("the log was read back to 2026-11-28 16:52:36 UTC")
    assert "back to" not in judged(Seen(accepted=request(60)), complete=False).details


def test_a_realm_that_zulip_does_not_have_and_one_that_is_absent() -> None:
    log = ServerLog(NOW, None, True, None, {})
    found = list(judge(server(realm(), realm("old", present=False)), log))
    assert [(each.realm, each.state) for each in found] == [("acme", State.MISSING)]


def outcome(name: str, *, age: float | None, state: State = State.OK) -> Outcome:
    seen = Seen(accepted=None if age is None else request(age))
    return Outcome(name, Status.OK, activity=(Activity("acme", state, "x", "", seen, now=NOW),))


def twins(*deployments: str) -> list[Server]:
    names = ("a", "b")
    return [
        server(realm(), name=name, deployment=each)
        for name, each in zip(names, deployments, strict=True)
    ]


def states(outcomes: list[Outcome]) -> list[tuple[State, Status]]:
    return [(each.activity[0].state, each.status) for each in outcomes]


def test_the_servers_of_a_deployment_count_together() -> None:
    outcomes = [outcome("a", age=60), outcome("b", age=None, state=State.UNSEEN)]
    together = with_silence(outcomes, twins("x", "x"), 3600)
    assert states(together) == [(State.OK, Status.OK), (State.UNSEEN, Status.OK)]
    apart = with_silence(outcomes, twins("x", "y"), 3600)
    assert states(apart) == [(State.OK, Status.OK), (State.SILENT, Status.ATTENTION)]


def test_without_a_limit_nobody_is_silent() -> None:
    outcomes = [outcome("a", age=None, state=State.UNSEEN)]
    assert with_silence(outcomes, twins("x", "x"), None) == outcomes


def test_a_failing_provider_is_not_called_silent() -> None:
    outcomes = [with_status(outcome("a", age=9000, state=State.FAILING)), outcome("b", age=9000)]
    found = states(with_silence(outcomes, twins("x", "x"), 3600))
    assert found == [(State.FAILING, Status.ATTENTION), (State.SILENT, Status.ATTENTION)]


def test_a_server_that_failed_keeps_its_status() -> None:
    failed = Outcome("a", Status.FAILED, "no log")
    assert with_silence([failed], twins("x", "x"), 60) == [failed]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3601, "1 h 1 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from scimconf import confirm
from scimconf.errors import ExitCode, HostError, Unreachable
from scimconf.model import Check, Outcome, Server, Status
from scimconf.observe import Message
from scimconf.rollout import Rollout
from scimconf.secret import Secret
from scimconf.survey import Surveyed, planned, planned_aloud
from tests.factories import desired, realm
from tests.test_observe import ANSWER

HEALTHY = {
    **ANSWER,
    "has_client_command": False,
    "version": "9.0",
    "block": None,
    "realms": {},
    "running": {"acme": 401},
}
COMMITTED = {"final": True, "result": "committed", "message": "", "hint": ""}
NOTED = {**COMMITTED, "result": "noted"}
TOKENS = {name: {"acme": Secret("x" * 43)} for name in ("a", "b", "c")}


class _Watcher:
    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    def step(self, server: str, name: str, doing: bool) -> None:
        self.steps.append((server, name))

    def done(self, server: str) -> None:
        self.steps.append((server, "done"))


class _Fleet:
    """Servers that answer as scripted; counts which conversations are open."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.open: set[str] = set()
        self.asked: list[tuple[str, object]] = []
        self.applied = COMMITTED
        self.recovered = {**COMMITTED, "result": "put back", "run": "4567"}

    @contextmanager
    def agent(self, server: Server) -> Iterator[_Fleet._Agent]:
        if isinstance(self.answers[server.name], HostError):
            raise self.answers[server.name]
        self.open.add(server.name)
        try:
            yield self._Agent(self, server.name)
        finally:
            self.open.discard(server.name)

    class _Agent:
        def __init__(self, fleet: _Fleet, name: str) -> None:
            self.fleet, self.name = fleet, name

        def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
            self.fleet.asked.append((self.name, request["do"]))
            answers = {"apply": self.fleet.applied, "recover": self.fleet.recovered, "heard": NOTED}
            return [answers.get(str(request["do"]), self.fleet.answers[self.name])]


def _wanted(*names: str, **changes: Any) -> list[Any]:
    return [desired(realm(), name=name, **changes) for name in names]


def test_one_failing_server_stops_no_other() -> None:
    fleet = _Fleet(
        a=Unreachable("connect", "refused", "is it up?"),
        b=HEALTHY,
        c={**HEALTHY, "blocked": "no Zulip here"},
        d={**HEALTHY, "version": "not a version"},
        e={**HEALTHY, "running": []},
    )
    looked = Rollout(2, _Watcher()).survey(
        _wanted("a", "b", "c", "d", "e"), fleet.agent, keep=False
    )
    assert [each.outcome.status for each in looked] == [
        Status.UNREACHABLE,
        Status.PENDING,
        Status.FAILED,
        Status.FAILED,
        Status.FAILED,
    ]
    assert looked[0].outcome.message == "connect: refused"
    assert not fleet.open


def test_a_bug_of_ours_is_told_without_its_values_and_stops_no_other() -> None:
    class _Broken(_Fleet):
        def agent(self, server: Server) -> Any:
            if server.name == "a":
                raise KeyError("a token could stand here")
            return super().agent(server)

    looked = Rollout(2, _Watcher()).survey(_wanted("a", "b"), _Broken(b=HEALTHY).agent, keep=False)
    assert [each.outcome.status for each in looked] == [Status.FAILED, Status.PENDING]
    assert "bug in scimconf: KeyError at test_rollout.py:" in looked[0].outcome.message
    assert "token" not in looked[0].outcome.message


def test_only_servers_with_changes_keep_their_conversation() -> None:
    right = {**ANSWER, "has_client_command": False}
    right["realms"]["acme"]["values"]["name_formatted_included"] = False
    right["realms"]["acme"]["token"]["matches"] = True
    fleet = _Fleet(a=right, b=HEALTHY)
    looked = Rollout(5, _Watcher()).survey(_wanted("a", "b"), fleet.agent, keep=True)
    assert looked[0].outcome.status is Status.OK
    assert fleet.open == {"b"}
    outcomes = Rollout(5, _Watcher()).carry_out(looked, TOKENS)
    assert [outcome.status for outcome in outcomes] == [Status.OK, Status.CHANGED]
    assert not fleet.open
    assert fleet.asked == [("a", "observe"), ("b", "observe"), ("b", "apply")]


def test_an_interrupted_server_is_recovered_and_looked_at_again() -> None:
    fleet = _Fleet(a={**HEALTHY, "interrupted": "2026, by ops, at 'restart'"}, b=HEALTHY)
    run = Rollout(5, _Watcher())
    looked = run.survey(_wanted("a", "b"), fleet.agent, keep=True)
    assert [each.interrupted for each in looked] == [True, False]
    fleet.answers["a"] = HEALTHY
    again = run.recover(looked, 0)
    assert fleet.asked[2:] == [("a", "recover"), ("a", "heard"), ("a", "observe")]
    assert not again[0].interrupted
    assert again[0].outcome.status is Status.PENDING
    assert again[0].outcome.warnings[0].startswith("what an interrupted run left was put back")
    outcomes = run.carry_out(again, TOKENS)
    assert [outcome.status for outcome in outcomes] == [Status.CHANGED] * 2
    assert outcomes[0].warnings == again[0].outcome.warnings


def test_a_recovery_that_fails_leaves_the_server_alone() -> None:
    fleet = _Fleet(a={**HEALTHY, "interrupted": "x"})
    run = Rollout(5, _Watcher())
    looked = run.survey(_wanted("a"), fleet.agent, keep=True)
    fleet.recovered = {**fleet.recovered, "result": "roll-back failed", "message": "m"}
    (again,) = run.recover(looked, 0)
    (outcome,) = run.carry_out([again], TOKENS)
    assert (outcome.status, outcome.message) == (Status.ROLL_BACK_FAILED, "m")
    assert not fleet.open


def test_a_run_that_ended_alone_is_told_once_it_is_carried_on() -> None:
    alone = {**HEALTHY, "finished_alone": {"run": "0123", "text": "the last run: committed"}}
    fleet = _Fleet(a=alone)
    for look, told in ((planned, 0), (planned_aloud, 1)):
        (each,) = Rollout(1, _Watcher()).survey(_wanted("a"), fleet.agent, keep=True, look=look)
        assert "the last run: committed" in each.outcome.warnings
        assert fleet.asked.count(("a", "heard")) == told
        each.closing.close()


def test_the_answer_of_a_transaction_is_acknowledged_with_its_run() -> None:
    fleet = _Fleet(a=HEALTHY)
    looked = Rollout(1, _Watcher()).survey(_wanted("a"), fleet.agent, keep=True)
    fleet.applied = {**COMMITTED, "run": "0123"}
    (outcome,) = Rollout(1, _Watcher()).carry_out(looked, TOKENS, lock_timeout=9)
    assert outcome.run == "0123"
    assert fleet.asked[1:] == [("a", "apply"), ("a", "heard")]


def test_no_more_than_forks_at_a_time() -> None:
    busy = 0
    most = 0
    lock = threading.Lock()
    barrier = threading.Barrier(3, timeout=30)

    @contextmanager
    def slow(server: Server) -> Iterator[Any]:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        barrier.wait()
        with lock:
            busy -= 1
        raise Unreachable("connect", "refused")
        yield

    Rollout(3, _Watcher()).survey(_wanted(*map(str, range(6))), slow, keep=False)
    assert most == 3


def test_after_ctrl_c_nothing_new_is_begun_and_what_runs_ends() -> None:
    begun = threading.Event()

    @contextmanager
    def slow(server: Server) -> Iterator[Any]:
        if not begun.is_set():
            begun.set()
            os.kill(os.getpid(), signal.SIGINT)
        raise Unreachable("connect", "refused")
        yield

    run = Rollout(1, _Watcher())
    looked = run.survey(_wanted(*map(str, range(50))), slow, keep=False)
    states = [each.outcome.status for each in looked]
    assert states[0] is Status.UNREACHABLE
    assert Status.SKIPPED in states
    assert run.exit_code([each.outcome for each in looked]) is ExitCode.INTERRUPTED
    assert run.interrupted
    assert run.carry_out(looked, {}) == [each.outcome for each in looked]


_NOT_REACHED = Check("acme", "wrong token", "warning", "refused")


class TestConfirm:
    @pytest.fixture
    def looked(self) -> list[Surveyed]:
        fleet = _Fleet(a=HEALTHY)
        return Rollout(1, _Watcher()).survey(_wanted("a"), fleet.agent, keep=False)

    def _confirm(
        self,
        monkeypatch: pytest.MonkeyPatch,
        looked: list[Surveyed],
        check: Check | None,
        status: Status = Status.CHANGED,
        tokens: Any = TOKENS,
    ) -> Outcome:
        monkeypatch.setattr(confirm, "verify", lambda *_: (check,))
        run = Rollout(1, _Watcher())
        (outcome,) = run.confirm(looked, [Outcome("a", status)], tokens, standing=Status.CHANGED)
        return outcome

    def test_good_answers_leave_it_as_it_is(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, Check("acme", "n", "ok", "m", 200))
        assert outcome.status is Status.CHANGED
        assert len(outcome.checks) == 1

    def test_not_reached_is_a_warning(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, Check("acme", "n", "warning", "m"))
        assert outcome.status is Status.CHANGED

    def test_verify_proves_nothing_where_nothing_was_reached(
        self, monkeypatch: Any, looked: Any
    ) -> None:
        monkeypatch.setattr("scimconf.confirm.verify", lambda *_: (_NOT_REACHED,))
        run = Rollout(1, _Watcher())
        (outcome,) = run.confirm(looked, [Outcome("a", Status.OK)], TOKENS, standing=Status.OK)
        assert outcome.status is Status.UNREACHABLE

    def test_a_wrong_answer_fails_the_server(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, Check("acme", "n", "failed", "m", 401))
        assert outcome.status is Status.FAILED

    def test_a_server_that_failed_is_not_asked(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, None, Status.ROLLED_BACK)
        assert outcome.checks == ()

    def test_a_realm_without_a_token_fails(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, None, tokens={"a": {}})
        assert outcome.status is Status.FAILED
        assert "apply" in outcome.checks[0].hint

    def test_no_token_is_sent_where_the_host_cannot_be_proved(
        self, monkeypatch: Any, looked: Any
    ) -> None:
        unknown = [replace(e, observed=replace(e.observed, external_host=None)) for e in looked]
        outcome = self._confirm(monkeypatch, unknown, Check("acme", "n", "failed", "sent"))
        assert [check.result for check in outcome.checks] == ["warning"]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], ExitCode.OK),
        ([Status.OK, Status.CHANGED], ExitCode.OK),
        ([Status.PENDING, Status.UNREACHABLE], ExitCode.UNREACHABLE),
        ([Status.UNREACHABLE, Status.SKIPPED], ExitCode.UNREACHABLE),
        ([Status.SKIPPED, Status.ROLLED_BACK], ExitCode.ROLLED_BACK),
        ([Status.ROLLED_BACK, Status.FAILED], ExitCode.FAILED),
        ([Status.FAILED, Status.ROLL_BACK_FAILED], ExitCode.ROLL_BACK_FAILED),
    ],
)
def test_the_worst_speaks_for_all(statuses: list[Status], code: ExitCode) -> None:
    outcomes = [Outcome(str(n), status) for n, status in enumerate(statuses)]
    assert Rollout(1, _Watcher()).exit_code(outcomes) is code

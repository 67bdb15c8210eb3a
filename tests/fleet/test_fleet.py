from __future__ import annotations

import copy
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from scimconf.errors import ExitCode, HostError, Unreachable
from scimconf.fleet import checks, connections
from scimconf.fleet import fleet as fleets
from scimconf.fleet.batches import strategy
from scimconf.fleet.connections import Connections
from scimconf.fleet.fleet import Fleet
from scimconf.fleet.job import Here
from scimconf.fleet.look import Looked, looks_for, planned, planned_and_acknowledged
from scimconf.fleet.observe import Message
from scimconf.model import Check, Outcome, Realm, Server, Status
from scimconf.run.result import Result
from scimconf.secret import Secret
from scimconf.server_warning import ServerWarning
from tests.factories import desired, realm
from tests.fleet.test_observe import ANSWER

HEALTHY = {
    **ANSWER,
    "has_client_command": False,
    "version": "9.0",
    "block": None,
    "realms": {},
    "running": {"acme": 401},
}
COMMITTED = {"final": True, "result": "committed", "message": "", "hint": ""}
ACKNOWLEDGED = {**COMMITTED, "result": "acknowledged"}
TOKENS = {name: {"acme": Secret("x" * 43)} for name in ("a", "b", "c")}


class _Watcher:
    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    def step(self, server: str, name: str, doing: bool) -> None:
        self.steps.append((server, name))

    def done(self, server: str) -> None:
        self.steps.append((server, "done"))


class _Run:
    """One run: a Fleet with its watcher and its connections."""

    def __init__(self, forks: int, watcher: _Watcher, retries: int = 0) -> None:
        self._watcher = watcher
        self._agent: Any = None
        self._connections = Connections(lambda server: self._agent(server))
        self._fleet = Fleet(Here(self._connections), forks, retries)

    def look(self, wanted: Any, agent: Any, **options: Any) -> list[Looked]:
        self._agent = agent
        return self._fleet.look(wanted, self._watcher, **options)

    @property
    def interrupted(self) -> bool:
        return self._fleet.interrupted

    def recover(self, looked: list[Looked], lock_timeout: int) -> list[Looked]:
        return self._fleet.recover(looked, self._watcher, lock_timeout)

    def change(self, looked: Any, tokens: Any, **options: Any) -> list[Outcome]:
        return self._fleet.change(looked, tokens, self._watcher, **options)

    def undo_or_recover(self, looked: Any, verb: Any) -> list[Outcome]:
        return self._fleet.undo_or_recover(looked, verb, self._watcher)

    def check(self, looked: Any, outcomes: Any, tokens: Any, *, wanted: Status) -> list[Outcome]:
        return self._fleet.check(looked, outcomes, tokens, self._watcher, wanted=wanted)

    def exit_code(self, outcomes: list[Outcome]) -> ExitCode:
        return Result("apply", tuple(outcomes), self.interrupted).exit_code

    def close(self) -> None:
        self._connections.__exit__()


class _Fleet:
    """Servers with scripted answers. Records which conversations are open."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.open: set[str] = set()
        self.asked: list[tuple[str, object]] = []
        self.applied = COMMITTED
        self.refuse: list[str] = []
        """Servers that refuse their next conversation, once per entry."""
        self.recovered = {**COMMITTED, "result": "recovered", "run": "4567"}

    @contextmanager
    def agent(self, server: Server) -> Iterator[_Fleet._Agent]:
        if isinstance(self.answers[server.name], HostError):
            raise self.answers[server.name]
        if server.name in self.refuse:
            self.refuse.remove(server.name)
            raise Unreachable("connect", "refused")
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
            applied = self.fleet.answers.get(f"apply {self.name}", self.fleet.applied)
            answers = {
                "apply": applied,
                "recover": self.fleet.recovered,
                "acknowledge": ACKNOWLEDGED,
            }
            return [answers.get(str(request["do"]), self.fleet.answers[self.name])]


def _wanted(*names: str, **changes: Any) -> list[Any]:
    return [desired(realm(), name=name, **changes) for name in names]


def test_a_failing_server_does_not_stop_the_others() -> None:
    fleet = _Fleet(
        a=Unreachable("connect", "refused", "is it up?"),
        b=HEALTHY,
        c={**HEALTHY, "blocked": "no Zulip here"},
        d={**HEALTHY, "version": "not a version"},
        e={**HEALTHY, "running": []},
    )
    looked = _Run(2, _Watcher()).look(_wanted("a", "b", "c", "d", "e"), fleet.agent, keep=False)
    assert [each.outcome.status for each in looked] == [
        Status.UNREACHABLE,
        Status.PENDING,
        Status.FAILED,
        Status.FAILED,
        Status.FAILED,
    ]
    assert looked[0].outcome.message == "connect: refused"
    assert not fleet.open


def test_a_bug_is_reported_without_values_and_does_not_stop_the_others() -> None:
    class _Broken(_Fleet):
        def agent(self, server: Server) -> Any:
            if server.name == "a":
                raise KeyError("a token could stand here")
            return super().agent(server)

    looked = _Run(2, _Watcher()).look(_wanted("a", "b"), _Broken(b=HEALTHY).agent, keep=False)
    assert [each.outcome.status for each in looked] == [Status.FAILED, Status.PENDING]
    assert "bug in scimconf: KeyError at test_fleet.py:" in looked[0].outcome.message
    assert "token" not in looked[0].outcome.message


def test_only_servers_with_changes_keep_their_conversation() -> None:
    right = copy.deepcopy({**ANSWER, "has_client_command": False})
    right["realms"]["acme"]["values"]["name_formatted_included"] = False
    right["realms"]["acme"]["token"]["matches"] = True
    fleet = _Fleet(a=right, b=HEALTHY)
    run = _Run(5, _Watcher())
    looked = run.look(_wanted("a", "b"), fleet.agent, keep=True)
    assert looked[0].outcome.status is Status.OK
    assert fleet.open == {"b"}
    outcomes = run.change(looked, TOKENS)
    assert [outcome.status for outcome in outcomes] == [Status.OK, Status.CHANGED]
    assert not fleet.open
    assert fleet.asked == [("a", "observe"), ("b", "observe"), ("b", "apply")]


def test_an_interrupted_server_is_recovered_and_observed_again() -> None:
    fleet = _Fleet(a={**HEALTHY, "interrupted": "2026, by ops, at 'restart'"}, b=HEALTHY)
    run = _Run(5, _Watcher())
    looked = run.look(_wanted("a", "b"), fleet.agent, keep=True)
    assert [each.interrupted for each in looked] == [True, False]
    fleet.answers["a"] = HEALTHY
    again = run.recover(looked, 0)
    assert fleet.asked[2:] == [("a", "recover"), ("a", "acknowledge"), ("a", "observe")]
    assert not again[0].interrupted
    assert again[0].outcome.status is Status.PENDING
    assert again[0].outcome.warnings[0].text.startswith("an interrupted run was rolled back first")
    outcomes = run.change(again, TOKENS)
    assert [outcome.status for outcome in outcomes] == [Status.CHANGED] * 2
    assert outcomes[0].warnings == again[0].outcome.warnings


def test_after_a_failed_recovery_the_server_is_not_changed() -> None:
    fleet = _Fleet(a={**HEALTHY, "interrupted": "x"})
    run = _Run(5, _Watcher())
    looked = run.look(_wanted("a"), fleet.agent, keep=True)
    fleet.recovered = {**fleet.recovered, "result": "roll-back failed", "message": "m"}
    (again,) = run.recover(looked, 0)
    (outcome,) = run.change([again], TOKENS)
    assert (outcome.status, outcome.message) == (Status.ROLL_BACK_FAILED, "m")
    assert not fleet.open


def test_the_result_of_a_run_that_finished_alone_is_reported_and_acknowledged() -> None:
    alone = {**HEALTHY, "finished_alone": {"run": "0123", "text": "the last run: committed"}}
    fleet = _Fleet(a=alone)
    for look, told in ((planned, 0), (planned_and_acknowledged, 1)):
        run = _Run(1, _Watcher())
        (each,) = run.look(_wanted("a"), fleet.agent, keep=True, look=look)
        assert ServerWarning("earlier-run", "the last run: committed") in each.outcome.warnings
        assert fleet.asked.count(("a", "acknowledge")) == told
        run.close()


def test_the_result_of_a_transaction_is_acknowledged() -> None:
    fleet = _Fleet(a=HEALTHY)
    run = _Run(1, _Watcher())
    looked = run.look(_wanted("a"), fleet.agent, keep=True)
    fleet.applied = {**COMMITTED, "run": "0123"}
    (outcome,) = run.change(looked, TOKENS, lock_timeout=9)
    assert outcome.run == "0123"
    assert fleet.asked[1:] == [("a", "apply"), ("a", "acknowledge")]


def test_no_more_servers_than_forks_are_contacted_at_a_time() -> None:
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

    _Run(3, _Watcher()).look(_wanted(*map(str, range(6))), slow, keep=False)
    assert most == 3


def test_after_ctrl_c_no_server_is_started_and_running_ones_finish() -> None:
    begun = threading.Event()

    @contextmanager
    def slow(server: Server) -> Iterator[Any]:
        if not begun.is_set():
            begun.set()
            os.kill(os.getpid(), signal.SIGINT)
        raise Unreachable("connect", "refused")
        yield

    run = _Run(1, _Watcher())
    looked = run.look(_wanted(*map(str, range(50))), slow, keep=False)
    states = [each.outcome.status for each in looked]
    assert states[0] is Status.UNREACHABLE
    assert Status.SKIPPED in states
    assert run.exit_code([each.outcome for each in looked]) is ExitCode.INTERRUPTED
    assert run.interrupted
    assert run.change(looked, {}) == [each.outcome for each in looked]


ROLLED_BACK = {**COMMITTED, "result": "rolled back", "message": "gate: 500"}


class TestBatches:
    def _run(
        self, fleet: _Fleet, names: str, *options: Any, deployments: Any = None
    ) -> list[Outcome]:
        run = _Run(20, _Watcher())
        wanted = [
            desired(
                realm(), name=name, deployment=(deployments or {}).get(name, name), verify=False
            )
            for name in names
        ]
        looked = run.look(wanted, fleet.agent, keep=True)
        tokens = {name: {"acme": Secret("x" * 43)} for name in names}
        outcomes = run.change(looked, tokens, strategy=strategy(*options))
        assert not fleet.open
        assert [outcome.server for outcome in outcomes] == list(names)
        return outcomes

    def _applied(self, fleet: _Fleet) -> str:
        return "".join(name for name, did in fleet.asked if did == "apply")

    def _marks(self, outcomes: list[Outcome]) -> str:
        marks = {Status.CHANGED: "c", Status.SKIPPED: "s", Status.ROLLED_BACK: "r", Status.OK: "o"}
        return "".join(marks.get(outcome.status, "!") for outcome in outcomes)

    def test_batches_run_one_after_the_other(self) -> None:
        fleet = _Fleet(**dict.fromkeys("abcde", HEALTHY))
        assert self._marks(self._run(fleet, "abcde", "1", None, None)) == "ccccc"
        assert self._applied(fleet) == "abcde"

    def test_the_next_batch_starts_only_if_no_server_failed(self) -> None:
        fleet = _Fleet(**dict.fromkeys("abcde", HEALTHY), **{"apply b": ROLLED_BACK})
        outcomes = self._run(fleet, "abcde", "3", None, None)
        assert self._marks(outcomes) == "crcss"
        assert sorted(self._applied(fleet)) == list("abc")
        assert outcomes[3].message == "not started: b is rolled back"
        assert "--max-fail" in outcomes[3].hint
        assert outcomes[3].plan

    def test_batches_stop_when_more_than_max_fail_servers_failed(self) -> None:
        bad = {f"apply {name}": ROLLED_BACK for name in "ac"}
        fleet = _Fleet(**dict.fromkeys("abcdef", HEALTHY), **bad)
        outcomes = self._run(fleet, "abcdef", "1", None, "1")
        assert self._marks(outcomes) == "rcrsss"
        assert outcomes[3].message == "not started: a is rolled back, c is rolled back"

    def test_after_a_failed_canary_the_others_are_skipped(self) -> None:
        fleet = _Fleet(**dict.fromkeys("abc", HEALTHY), **{"apply a": ROLLED_BACK})
        assert self._marks(self._run(fleet, "abc", None, 1, None)) == "rss"

    def test_a_server_with_nothing_to_do_is_in_no_batch(self) -> None:
        right = copy.deepcopy({**ANSWER, "has_client_command": False})
        right["realms"]["acme"]["values"]["name_formatted_included"] = False
        right["realms"]["acme"]["token"]["matches"] = True
        fleet = _Fleet(a=right, b=HEALTHY, c=HEALTHY, **{"apply b": ROLLED_BACK})
        assert self._marks(self._run(fleet, "abc", None, 1, None)) == "ors"

    def test_an_unreachable_server_counts_only_for_max_fail(self) -> None:
        gone = Unreachable("connect", "refused")
        answers = {"a": gone, "b": HEALTHY, "c": HEALTHY}
        assert self._marks(self._run(_Fleet(**answers), "abc", "1", None, None)) == "!cc"
        outcomes = self._run(_Fleet(**answers), "abc", "1", None, "0")
        assert self._marks(outcomes) == "!ss"
        assert outcomes[1].message == "not started: a is unreachable"

    def test_a_deployment_is_in_one_batch(self) -> None:
        fleet = _Fleet(**dict.fromkeys("abcd", HEALTHY), **{"apply d": ROLLED_BACK})
        both = {"a": "zulip", "d": "zulip"}
        outcomes = self._run(fleet, "abcd", "1", None, None, deployments=both)
        # These scripted servers cannot undo. The test checks only which servers were started.
        assert self._applied(fleet) == "ad"
        assert self._marks(outcomes)[1:3] == "ss"

    def test_a_skipped_deployment_does_not_stop_the_others(self) -> None:
        fleet = _Fleet(a=HEALTHY, b=Unreachable("connect", "refused"), c=HEALTHY)
        both = {"a": "zulip", "b": "zulip"}
        outcomes = self._run(fleet, "abc", "1", None, None, deployments=both)
        assert self._marks(outcomes) == "s!c"

    def test_a_wrong_answer_of_the_public_url_stops_the_next_batch(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrong = Check("acme", "n", "failed", "m", 401)
        monkeypatch.setattr(checks, "verify", lambda *_: (wrong,))
        fleet = _Fleet(a=HEALTHY, b=HEALTHY)
        run = _Run(5, _Watcher())
        wanted = [desired(realm(), name=name, deployment=name) for name in "ab"]
        looked = run.look(wanted, fleet.agent, keep=True)
        how = strategy("1", None, None)
        outcomes = run.change(looked, TOKENS, strategy=how, answers=1)
        assert [outcome.status for outcome in outcomes] == [Status.FAILED, Status.SKIPPED]
        assert self._applied(fleet) == "a"

    def test_after_ctrl_c_no_batch_starts(self) -> None:
        class _Interrupting(_Fleet._Agent):
            def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
                if request["do"] == "apply":
                    os.kill(os.getpid(), signal.SIGINT)
                return super().ask(request, seconds)

        fleet = _Fleet(**dict.fromkeys("abc", HEALTHY))
        fleet._Agent = _Interrupting
        outcomes = self._run(fleet, "abc", "1", None, None)
        assert self._marks(outcomes) == "css"
        assert {outcome.message for outcome in outcomes[1:]} == {"not started: interrupted"}

    def test_later_batches_do_not_keep_an_idle_connection(self) -> None:
        fleet = _Fleet(**dict.fromkeys("abc", HEALTHY))
        seen: list[set[str]] = []
        ask = fleet._Agent.ask

        class _Seeing(_Fleet._Agent):
            def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
                if request["do"] == "apply":
                    seen.append(set(self.fleet.open))
                return ask(self, request, seconds)

        fleet._Agent = _Seeing
        assert self._marks(self._run(fleet, "abc", "1", None, None)) == "ccc"
        assert seen == [{"a"}, {"b"}, {"c"}]


def test_the_number_of_kept_conversations_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_KEPT", 1)
    fleet = _Fleet(a={**HEALTHY, "interrupted": "x"}, b={**HEALTHY, "interrupted": "x"})
    run = _Run(1, _Watcher())
    looked = run.look(_wanted("a", "b"), fleet.agent, keep=True)
    assert fleet.open == {"a"}
    fleet.answers = {"a": HEALTHY, "b": HEALTHY}
    outcomes = run.change(run.recover(looked, 0), TOKENS)
    assert [outcome.status for outcome in outcomes] == [Status.CHANGED] * 2
    assert not fleet.open


def test_if_a_server_becomes_unreachable_its_deployment_is_not_changed() -> None:
    fleet = _Fleet(a=HEALTHY, b=HEALTHY)
    run = _Run(1, _Watcher())
    looked = run.look(_wanted("a", "b", deployment="zulip"), fleet.agent, keep=False)
    fleet.refuse = ["b"]
    outcomes = run.change(looked, TOKENS)
    assert [outcome.status for outcome in outcomes] == [Status.SKIPPED, Status.UNREACHABLE]
    assert ("a", "apply") not in fleet.asked
    assert not fleet.open


class TestRetries:
    @pytest.fixture
    def pauses(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        waited: list[float] = []

        def pause(_: object, seconds: float) -> bool:
            waited.append(seconds)
            return True

        monkeypatch.setattr("scimconf.fleet.pool.Pool.pause", pause)
        return waited

    def test_the_pauses_between_retries_get_longer(self, pauses: list[float]) -> None:
        fleet = _Fleet(a=HEALTHY)
        fleet.refuse = ["a"] * 7
        (looked,) = _Run(1, _Watcher(), 7).look(_wanted("a"), fleet.agent, keep=False)
        assert looked.outcome.status is Status.PENDING
        assert pauses == [1, 2, 4, 8, 16, 30, 30]

    def test_a_server_is_unreachable_after_the_last_retry(self, pauses: list[float]) -> None:
        fleet = _Fleet(a=HEALTHY)
        fleet.refuse = ["a"] * 9
        (looked,) = _Run(1, _Watcher(), 2).look(_wanted("a"), fleet.agent, keep=False)
        assert looked.outcome.status is Status.UNREACHABLE
        assert looked.outcome.message == "connect: refused (tried 3 times)"
        assert len(fleet.refuse) == 6

    def test_a_refused_login_is_not_retried(self, pauses: list[float]) -> None:
        fleet = _Fleet(a=Unreachable("log in", "wrong password"))
        (looked,) = _Run(1, _Watcher(), 5).look(_wanted("a"), fleet.agent, keep=False)
        assert looked.outcome.message == "log in: wrong password"
        assert pauses == []

    def test_a_blocked_server_is_not_retried(self, pauses: list[float]) -> None:
        fleet = _Fleet(a={**HEALTHY, "blocked": "no Zulip here"})
        _Run(1, _Watcher(), 5).look(_wanted("a"), fleet.agent, keep=False)
        assert fleet.asked == [("a", "observe")]

    def test_a_connection_is_retried_before_the_change_but_a_change_is_never_repeated(
        self, pauses: list[float]
    ) -> None:
        class _Losing(_Fleet._Agent):
            def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
                self.fleet.asked.append((self.name, request["do"]))
                if request["do"] == "apply":
                    raise Unreachable("agent", "the connection broke")
                return [HEALTHY]

        fleet = _Fleet(a=HEALTHY)
        fleet._Agent = _Losing
        run = _Run(1, _Watcher(), 5)
        looked = run.look(_wanted("a"), fleet.agent, keep=False)
        fleet.refuse = ["a", "a"]
        (outcome,) = run.change(looked, TOKENS)
        assert (pauses, fleet.refuse) == ([1, 2], [])
        assert fleet.asked == [("a", "observe"), ("a", "apply")]
        assert outcome.status is Status.FAILED

    def test_ctrl_c_ends_the_pause(self) -> None:
        """This uses real pauses: if Ctrl-C did not end one, the test would reach its time limit."""
        fleet = _Fleet(a=HEALTHY)

        class _Interrupting(_Watcher):
            def step(self, server: str, name: str, doing: bool) -> None:
                if name.startswith("unreachable, retry"):
                    os.kill(os.getpid(), signal.SIGINT)

        fleet.refuse = ["a"] * 30
        run = _Run(1, _Interrupting(), 20)
        (looked,) = run.look(_wanted("a"), fleet.agent, keep=False)
        assert looked.outcome.status is Status.UNREACHABLE
        assert len(fleet.refuse) == 29


_NOT_REACHED = Check("acme", "wrong token", "warning", "refused")


class TestPublicCheck:
    @pytest.fixture
    def looked(self) -> list[Looked]:
        fleet = _Fleet(a=HEALTHY)
        return _Run(1, _Watcher()).look(_wanted("a"), fleet.agent, keep=False)

    def _confirm(
        self,
        monkeypatch: pytest.MonkeyPatch,
        looked: list[Looked],
        check: Check | None,
        status: Status = Status.CHANGED,
        tokens: Any = TOKENS,
    ) -> Outcome:
        monkeypatch.setattr(checks, "verify", lambda *_: (check,))
        run = _Run(1, _Watcher())
        (outcome,) = run.check(looked, [Outcome("a", status)], tokens, wanted=Status.CHANGED)
        return outcome

    def test_good_answers_keep_the_status(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, Check("acme", "n", "ok", "m", 200))
        assert outcome.status is Status.CHANGED
        assert len(outcome.checks) == 1

    def test_an_unreachable_public_url_is_a_warning(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, Check("acme", "n", "warning", "m"))
        assert outcome.status is Status.CHANGED

    def test_verify_reports_a_server_without_a_reached_url_as_unreachable(
        self, monkeypatch: Any, looked: Any
    ) -> None:
        monkeypatch.setattr("scimconf.fleet.checks.verify", lambda *_: (_NOT_REACHED,))
        run = _Run(1, _Watcher())
        (outcome,) = run.check(looked, [Outcome("a", Status.OK)], TOKENS, wanted=Status.OK)
        assert outcome.status is Status.UNREACHABLE

    def test_a_wrong_answer_fails_the_server(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, Check("acme", "n", "failed", "m", 401))
        assert outcome.status is Status.FAILED

    def test_the_public_url_of_a_failed_server_is_not_asked(
        self, monkeypatch: Any, looked: Any
    ) -> None:
        outcome = self._confirm(monkeypatch, looked, None, Status.ROLLED_BACK)
        assert outcome.checks == ()

    @pytest.mark.parametrize(
        ("before", "after"), [(Status.CHANGED, Status.CHANGED), (Status.OK, Status.SKIPPED)]
    )
    def test_after_ctrl_c_the_outcome_says_that_nothing_was_checked(
        self,
        monkeypatch: pytest.MonkeyPatch,
        looked: list[Looked],
        before: Status,
        after: Status,
    ) -> None:
        """A change stays a change. `verify` has not done its work."""
        run = _Run(1, _Watcher())
        monkeypatch.setattr("scimconf.fleet.pool.Pool.interrupted", True)
        (outcome,) = run.check(looked, [Outcome("a", before)], TOKENS, wanted=before)
        assert (outcome.status, outcome.verified) == (after, "not asked")
        assert outcome.message == (
            "the public URL was not checked, because the run was interrupted"
        )
        assert outcome.hint == "to check it: scimconf verify a"

    def test_a_realm_without_a_token_fails(self, monkeypatch: Any, looked: Any) -> None:
        outcome = self._confirm(monkeypatch, looked, None, tokens={"a": {}})
        assert outcome.status is Status.FAILED
        assert "apply" in outcome.checks[0].hint

    def test_no_token_is_sent_to_an_unproved_host(self, monkeypatch: Any, looked: Any) -> None:
        unknown = [replace(e, observed=replace(e.observed, external_host=None)) for e in looked]
        outcome = self._confirm(monkeypatch, unknown, Check("acme", "n", "failed", "sent"))
        assert [check.result for check in outcome.checks] == ["warning"]


class TestExitZeroMeansProved:
    """A server is OK or CHANGED only if it accepted the right token."""

    RIGHT: ClassVar[dict[str, Any]] = {
        **HEALTHY,
        "realms": {
            "acme": {
                **ANSWER["realms"]["acme"],
                "values": {"scim_client_name": "okta", "name_formatted_included": False},
                "token": {**ANSWER["realms"]["acme"]["token"], "short": "45a9", "matches": True},
            }
        },
        "block": "SCIM_CONFIG = {}\n",
        "running": {"acme": 200},
    }

    def _look(self, answer: Any, **changes: Any) -> Looked:
        fleet = _Fleet(a=answer)
        (looked,) = _Run(1, _Watcher()).look(_wanted("a", **changes), fleet.agent, keep=False)
        return looked

    def test_a_right_server_is_ok(self) -> None:
        assert self._look(self.RIGHT).outcome.status is Status.OK

    @pytest.mark.parametrize("status", [None, 500, 502])
    def test_a_server_that_does_not_accept_the_right_token_fails(self, status: int | None) -> None:
        answer = {**self.RIGHT, "running": {"acme": status}}
        looked = self._look(answer, restart="none")
        assert looked.outcome.status is Status.FAILED
        assert "realm acme: the local web server" in looked.outcome.message
        assert looked.outcome.hint
        assert self._look(answer, verify=False).outcome.status is not Status.FAILED

    def test_a_busy_server_is_neither_planned_nor_changed(self) -> None:
        fleet = _Fleet(a={**HEALTHY, "at_work": "ops from 192.0.2.1"})
        run = _Run(1, _Watcher())
        looked = run.look(_wanted("a"), fleet.agent, keep=True)
        assert looked[0].outcome.status is Status.BUSY
        assert "ops from 192.0.2.1" in looked[0].outcome.message
        assert "--lock-timeout" in looked[0].outcome.hint
        (outcome,) = run.change(looked, TOKENS)
        assert (outcome.status, fleet.asked) == (Status.BUSY, [("a", "observe")])
        assert run.exit_code([outcome]) is ExitCode.UNREACHABLE

    def test_a_server_that_becomes_busy_before_the_change_is_reported(self) -> None:
        fleet = _Fleet(a=HEALTHY, b=HEALTHY)
        fleet.answers["apply b"] = {**COMMITTED, "result": "busy", "message": "m"}
        run = _Run(1, _Watcher())
        wanted = [desired(realm(), name=name, deployment=name) for name in "ab"]
        outcomes = run.change(run.look(wanted, fleet.agent, keep=True), TOKENS)
        assert [each.status for each in outcomes] == [Status.CHANGED, Status.BUSY]
        assert run.exit_code(outcomes) is ExitCode.UNREACHABLE

    def _changed(
        self, monkeypatch: pytest.MonkeyPatch, public: str, unproved: str, **changes: Any
    ) -> Outcome:
        check = Check("acme", "right token", public, "m")  # type: ignore[arg-type]
        monkeypatch.setattr(checks, "verify", lambda *_: (check,))
        fleet = _Fleet(a=HEALTHY)
        fleet.applied = {**COMMITTED, "unproved": unproved}
        run = _Run(1, _Watcher())
        looked = run.look(_wanted("a", **changes), fleet.agent, keep=True)
        (outcome,) = run.change(looked, TOKENS, answers=1)
        return outcome

    def test_a_change_that_only_the_gate_proved_is_changed_and_not_verified(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcome = self._changed(monkeypatch, "warning", "")
        assert (outcome.status, outcome.verified) == (Status.CHANGED, "no")

    def test_a_change_that_only_the_public_url_proved_is_changed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcome = self._changed(monkeypatch, "ok", "the site did not answer")
        assert (outcome.status, outcome.verified) == (Status.CHANGED, "yes")

    def test_an_unproved_change_is_a_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outcome = self._changed(monkeypatch, "warning", "the site did not answer")
        assert outcome.status is Status.FAILED
        assert "the site did not answer" in outcome.message
        assert "in force" in outcome.hint

    def test_without_verification_the_status_stays_changed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcome = self._changed(monkeypatch, "ok", "not verified", verify=False)
        assert (outcome.status, outcome.verified) == (Status.CHANGED, "not asked")

    def test_after_an_unproved_undo_the_deployment_continues(self) -> None:
        pending = {**COMMITTED, "result": "pending", "run": "4567"}

        class _Undoing(_Fleet._Agent):
            def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
                self.fleet.asked.append((self.name, request["do"]))
                undone = {**COMMITTED, "unproved": "the site did not answer"}
                return [pending if request.get("look") else undone]

        fleet = _Fleet(a=HEALTHY, b=HEALTHY)
        fleet._Agent = _Undoing  # type: ignore[misc]
        run = _Run(1, _Watcher())
        looked = run.look(_wanted("a", "b"), fleet.agent, keep=True, look=looks_for("undo"))
        outcomes = run.undo_or_recover(looked, "undo")
        assert [each.status for each in outcomes] == [Status.FAILED] * 2
        assert fleet.asked.count(("b", "undo")) == 2  # once for the plan, once for the change

    def test_verify_requires_every_realm_to_be_reached(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both = {"acme": "ok", "wiki": "warning"}

        def verify(_: Server, of: Realm, *__: object) -> tuple[Check, ...]:
            result: Any = both[of.string_id]
            return (Check(of.string_id, "n", result, "m"),)

        monkeypatch.setattr(checks, "verify", verify)
        run = _Run(1, _Watcher())
        two = [desired(realm(), realm("wiki"), name="a")]
        looked = run.look(two, _Fleet(a=HEALTHY).agent, keep=False)
        tokens = {"a": dict.fromkeys(both, Secret("x" * 43))}
        (outcome,) = run.check(looked, [Outcome("a", Status.OK)], tokens, wanted=Status.OK)
        assert outcome.status is Status.UNREACHABLE
        assert "realm wiki" in outcome.message


class TestWaitingForAnotherRun:
    """`--lock-timeout` also applies to the observation."""

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [0.0]

        def pause(_: object, seconds: float) -> bool:
            now[0] += seconds
            return True

        monkeypatch.setattr("scimconf.fleet.pool.Pool.pause", pause)
        monkeypatch.setattr(fleets, "time", SimpleNamespace(monotonic=lambda: now[0]))
        return now

    def _survey(self, fleet: _Fleet, watcher: _Watcher, seconds: int) -> Looked:
        run = _Run(1, watcher)
        (looked,) = run.look(_wanted("a"), fleet.agent, keep=True, lock_timeout=seconds)
        run.close()
        return looked

    def test_it_waits_until_the_other_run_has_ended(self, clock: list[float]) -> None:
        class _Ending(_Fleet._Agent):
            def ask(self, request: Message, seconds: float = 900.0) -> Iterable[Message]:
                at_work = "ops" if clock[0] < 3 else ""
                return [{**HEALTHY, "at_work": at_work}]

        fleet, watcher = _Fleet(a=HEALTHY), _Watcher()
        fleet._Agent = _Ending  # type: ignore[misc]
        assert self._survey(fleet, watcher, 60).outcome.status is Status.PENDING
        assert clock[0] == 3
        assert ("a", "lock: waiting for ops") in watcher.steps

    def test_it_waits_no_longer_than_the_lock_timeout(self, clock: list[float]) -> None:
        fleet = _Fleet(a={**HEALTHY, "at_work": "ops"})
        assert self._survey(fleet, _Watcher(), 5).outcome.status is Status.BUSY
        assert clock[0] == 5

    def test_it_does_not_wait_without_a_lock_timeout(self, clock: list[float]) -> None:
        fleet = _Fleet(a={**HEALTHY, "at_work": "ops"})
        assert self._survey(fleet, _Watcher(), 0).outcome.status is Status.BUSY
        assert (clock[0], len(fleet.asked)) == (0, 1)

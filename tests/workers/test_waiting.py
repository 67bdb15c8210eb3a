"""How the controller waits for a worker, with an engine that answers what a test wants."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from scimconf.fleet.job import Apply, Observe
from scimconf.fleet.look import Looked, planned
from scimconf.model import Action, ActionKind, Outcome, Plan, Status
from scimconf.report.no_progress import NoProgress
from scimconf.ssh.session import Credentials, Options
from scimconf.workers import dask
from scimconf.workers.dask import Workers
from scimconf.workers.message import Label
from scimconf.workers.scheduler import Scheduler
from scimconf.workers.zone_key import Channel
from tests.factories import desired, realm

WANTED = desired(realm())
ACTIONS = (Action(ActionKind.SET_REALM, "acme", "t"),)
PENDING = Outcome("chat1", Status.PENDING, plan=Plan("chat1", "9.0", actions=ACTIONS))
CHANGE = Apply((Looked(WANTED, PENDING),), {"chat1": {}})


class _Future:
    """A job that is done after some looks at it."""

    def __init__(self, status: str, looks: int) -> None:
        self.status = status
        self._looks = looks

    def add_done_callback(self, _: object) -> None:
        """Do nothing: the controller must not depend on it."""

    def done(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    def result(self, timeout: float) -> str:
        return '{"refused": "the answer was fetched"}'

    def release(self) -> None:
        """Do nothing."""


class _Client:
    """The part of Dask's client that Workers uses."""

    def __init__(self) -> None:
        self.status = "running"
        self.scheduler_comm = object()
        self.scheduler = self
        self.identity = None
        self.future = _Future("finished", 3)
        self.answers = threading.Event()
        self.answers.set()

    def sync(self, *_: object, **__: object) -> Any:
        self.answers.wait(20)
        return {"workers": {"w1": {"resources": {"zone-default": 1}}}}

    def subscribe_topic(self, *_: object) -> None:
        """Do nothing."""

    def submit(self, *_: object, **__: object) -> _Future:
        return self.future


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> _Client:
    found = _Client()
    monkeypatch.setattr(dask, "_connect", lambda _: found)
    monkeypatch.setattr(dask, "_TURN", 0.01)
    return found


@pytest.fixture
def workers(tmp_path: Path, client: _Client) -> Workers:
    for words in (
        ["genpkey", "-algorithm", "X25519", "-out", "default.key"],
        ["pkey", "-in", "default.key", "-pubout", "-out", "default.pub"],
    ):
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
    scheduler = Scheduler("tcp://127.0.0.1:1", tmp_path)
    return Workers(scheduler, [WANTED.server], lambda _: Credentials(), Options())


def _observed(workers: Workers) -> str:
    return workers.do(Observe(WANTED, planned), NoProgress()).outcome.message


def test_a_long_pause_before_a_job_does_not_count(workers: Workers) -> None:
    workers._sign -= 100_000  # a person has read the question for a day
    assert "the answer was fetched" in _observed(workers)


def test_an_answer_that_was_lost_is_fetched_again(workers: Workers, client: _Client) -> None:
    client.future.status = "lost"
    assert "the answer was fetched" in _observed(workers)


def test_a_lost_connection_ends_each_wait(workers: Workers, client: _Client) -> None:
    client.future = _Future("pending", 1_000_000)
    threading.Timer(0.2, lambda: setattr(client, "status", "closed")).start()
    (outcome,) = workers.do(CHANGE, NoProgress()).outcomes
    assert "the connection to the scheduler was lost during the change" in outcome.message
    assert "the connection to the scheduler" in _observed(workers)


@pytest.mark.parametrize("began", [False, True])
def test_a_refusal_after_an_attempt_that_died_does_not_say_unchanged(
    workers: Workers, client: _Client, monkeypatch: pytest.MonkeyPatch, began: bool
) -> None:
    def submit(*_: object, **__: object) -> _Future:
        (running,) = workers._jobs.values()
        running.attempts |= {"of the first worker"} if began else set()
        return client.future

    monkeypatch.setattr(client, "submit", submit)
    (outcome,) = workers.do(CHANGE, NoProgress()).outcomes
    assert "the answer was fetched" in outcome.message
    assert outcome.unknown is began


def test_a_new_connection_is_not_used(workers: Workers, client: _Client) -> None:
    client.scheduler_comm = object()  # the scheduler was restarted while nobody asked it
    assert "not started, because the connection to the scheduler" in _observed(workers)


def test_a_step_that_is_told_again_prolongs_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another client of the scheduler can repeat a sealed step."""
    running = dask._InProgress(Label("run", 1, "dmz"), Channel(bytes(32)), NoProgress())
    clock = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(dask.time, "monotonic", lambda: next(clock))
    for attempt in ("a", "a", "b"):
        dask._follow(running, ["begin", attempt, "w1"])
    assert (running.begun, running.attempts) == (2.0, {"a", "b"})


def test_only_one_thread_waits_for_the_scheduler(workers: Workers, client: _Client) -> None:
    client.answers.clear()
    workers._asked -= 100
    asking = threading.Thread(target=workers._is_served, args=("default",))
    asking.start()
    while not workers._asking.locked():
        time.sleep(0.01)
    begun = time.monotonic()
    assert workers._is_served("default")
    assert time.monotonic() - begun < 5
    client.answers.set()
    asking.join()

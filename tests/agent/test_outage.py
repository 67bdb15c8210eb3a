"""The measurement of how long SCIM was unavailable during a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from scimconf.agent import outage
from scimconf.agent.errors import AgentError
from scimconf.agent.gate import Before, Question

BEFORE = (Before("acme", "acme.chat.test", "old", 200),)
AFTER = (Question("acme", "acme.chat.test", "new", True),)


class Zulip:
    """Return scripted answers, one per second of its own clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[int]]) -> None:
        self.answers = answers
        self.now = 0.0
        self.done = threading.Event()
        monkeypatch.setattr(outage, "_PAUSE", 0.001)
        monkeypatch.setattr(outage.time, "monotonic", lambda: self.now)

    def ask(self, host: str, token: str) -> int:
        assert host == "acme.chat.test"
        self.now += 1
        left = self.answers[token]
        status = left.pop(0) if len(left) > 1 else left[0]
        if len(left) == 1 and token == "new":
            self.done.set()
        return status


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        # The old token is accepted at 0, 1 and 2 (asked at 2), the new one after 7: 5 seconds.
        ({"old": [200, 200, 200, 502], "new": [502, 502, 200, 200]}, 5.0),
        # An old worker refuses the new token once more, so the count starts again.
        ({"old": [200, 502], "new": [502, 200, 401, 200, 200]}, 6.0),
    ],
)
def test_the_outage_is_from_the_last_old_token_to_the_first_new_one(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[int]], seconds: float
) -> None:
    zulip = Zulip(monkeypatch, answers)
    watch = outage.watch(zulip.ask, BEFORE, AFTER)
    assert watch
    assert zulip.done.wait(30)
    assert watch.seconds() == seconds


def test_an_outage_that_is_too_short_to_see_ends_with_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()

    def ask(host: str, token: str) -> int:
        asked.set()
        return 200

    watch = outage.watch(ask, BEFORE, AFTER)
    assert watch
    assert asked.wait(30)
    assert 0 <= watch.seconds() < 30


def test_an_error_counts_as_refused() -> None:
    asked = threading.Event()

    def ask(host: str, token: str) -> int:
        asked.set()
        raise AgentError("no")

    watch = outage.watch(ask, BEFORE, AFTER)
    assert watch
    assert asked.wait(30)
    watch.stop()


def test_a_rollback_does_not_wait_for_an_answer() -> None:
    asked, answer, answered = threading.Event(), threading.Event(), threading.Event()

    def ask(host: str, token: str) -> int:
        asked.set()
        answer.wait(30)
        answered.set()
        return 200

    watch = outage.watch(ask, BEFORE, AFTER)
    assert watch
    assert asked.wait(30)
    watch.stop()
    assert not answered.is_set()
    answer.set()
    assert answered.wait(30)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), AFTER),
        ((Before("acme", "acme.chat.test", "old", 401),), AFTER),
        (BEFORE, (Question("acme", "acme.chat.test", "old", False),)),
        (BEFORE, (Question("wiki", "wiki.chat.test", "new", True),)),
    ],
)
def test_a_realm_that_was_refused_before_is_not_watched(
    before: tuple[Before, ...], after: tuple[Question, ...]
) -> None:
    nobody: Callable[[str, str], int] = lambda host, token: 200  # noqa: E731
    assert outage.watch(nobody, before, after) is None

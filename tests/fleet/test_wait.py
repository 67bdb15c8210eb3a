"""Wait for identity providers: who is waited for, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from scimconf.activity import Activity, State
from scimconf.errors import ScimconfError, Unreachable
from scimconf.fleet.observe import Message
from scimconf.fleet.wait import wait
from scimconf.model import Server
from tests.factories import realm, server
from tests.fleet.test_status import ANSWER, SEEN

CHANGED = 500.0


def logged(
    *good: float, failing: float | None = None, refused: int = 0, **more: Any
) -> dict[str, Any]:
    """Return what is logged of a realm: the times of good requests, and a failure since."""
    requests = [{"at": at, "status": 200, "request": "GET Users"} for at in good]
    last = {"at": failing, "status": 401, "request": "GET Users"} if failing else None
    return {
        **SEEN,
        "accepted": requests[-1] if requests else None,
        "first": requests[0] if requests else None,
        "refused": last,
        "failing": {"since": failing, "requests": refused} if failing else None,
        "day": {**({"200": len(good)} if good else {}), **({"401": refused} if refused else {})},
        **more,
    }


class Fleet:
    """Servers whose logs go on with each look; a pause takes as long as it says."""

    def __init__(self, **logs: Sequence[Any]) -> None:
        self.logs = {name: list(each) for name, each in logs.items()}
        self.now = 0.0
        self.interrupted = False
        self.interrupt_at = 1e9
        self.asked: list[tuple[str, object]] = []

    def ask(
        self, servers: Sequence[Server], question: Callable[[Any, Server], Any]
    ) -> list[ScimconfError | None]:
        return [self._one(each, question) for each in servers]

    def _one(self, each: Server, question: Callable[[Any, Server], Any]) -> ScimconfError | None:
        fleet = self

        class Agent:
            def ask(self, request: Message, seconds: float | None = None) -> Iterator[Message]:
                fleet.asked.append((each.name, request["since"]))
                found = fleet.logs[each.name]
                said = found.pop(0) if len(found) > 1 else found[0]
                if isinstance(said, ScimconfError):
                    raise said
                yield {**ANSWER, "changed": CHANGED, "now": 1000 + fleet.now, "realms": said}

        try:
            question(Agent(), each)
        except ScimconfError as error:
            return error
        return None

    def interruptible(self) -> AbstractContextManager[None]:
        return nullcontext()

    def pause(self, seconds: float) -> bool:
        self.now += seconds
        self.interrupted = self.now >= self.interrupt_at
        return not self.interrupted

    def wait(self, *servers: Server, seconds: float = 600) -> dict[str, list[Activity]]:
        self.steps: list[str] = []
        found = wait(self, servers, seconds, self, clock=lambda: self.now)
        return {name: list(each) for name, each in found.items()}

    def step(self, server: str, name: str, doing: bool) -> None:
        self.steps.append(f"{server}: {name}")

    def done(self, server: str) -> None:
        self.steps.append(f"{server}: done")


def test_a_provider_that_gets_in_after_a_while() -> None:
    failing = {"acme": logged(400, failing=520, refused=3)}
    nothing = {"acme": logged()}
    fleet = Fleet(chat1=[failing, nothing, nothing, {"acme": logged(1100.0)}])
    ((found,),) = fleet.wait(server(realm())).values()
    assert (found.state, found.needs_attention) == (State.OK, False)
    assert found.message == (
        "the identity provider got in at 1970-01-01 00:18:20 UTC (GET Users, HTTP 200), 9 min 40 s "
        "after requests began to fail; 3 requests were refused in that time"
    )
    assert fleet.asked == [("chat1", None), *[("chat1", 1000.0)] * 3]
    assert fleet.steps == [
        "chat1: wait: waiting for the identity provider of acme",
        "chat1: done",
    ]


def test_who_has_got_in_since_the_change_is_not_waited_for() -> None:
    fleet = Fleet(chat1=[{"acme": logged(700)}, {"acme": logged(600, 700, refused=1)}])
    ((found,),) = fleet.wait(server(realm())).values()
    assert "00:10:00 UTC (GET Users, HTTP 200), 1 min 40 s after the change" in found.message
    assert found.message.endswith("1 request was refused in that time")
    assert (fleet.now, fleet.asked[1]) == (0, ("chat1", CHANGED))


@pytest.mark.parametrize("before", [logged(400), logged()])
def test_a_request_before_the_change_proves_nothing(before: dict[str, Any]) -> None:
    fleet = Fleet(chat1=[{"acme": before}, {"acme": logged()}])
    ((found,),) = fleet.wait(server(realm()), seconds=60).values()
    assert (found.state, found.needs_attention) == (State.NOT_BACK, True)
    assert "to look again: scimconf status" in found.hint
    assert found.message.startswith("no good request of the identity provider in 1 min: ")
    assert fleet.now == 60


def test_a_good_request_that_is_followed_by_a_bad_one_is_not_enough() -> None:
    first, nothing = {"acme": logged()}, {"acme": logged(1001, failing=1002, refused=1)}
    fleet = Fleet(chat1=[first, nothing])
    ((found,),) = fleet.wait(server(realm()), seconds=60).values()
    assert found.state is State.NOT_BACK


def test_each_realm_is_waited_for() -> None:
    both = server(realm(), realm(""), realm("old", present=False))
    fleet = Fleet(
        chat1=[
            {"acme": logged(), "": logged()},
            {"acme": logged(1001), "": logged()},
            {"": logged()},
        ]
    )
    ((acme, root),) = fleet.wait(both, seconds=60).values()
    assert (acme.state, root.state) == (State.OK, State.NOT_BACK)
    assert fleet.steps == [
        "chat1: wait: waiting for the identity provider of (root), acme",
        "chat1: wait: waiting for the identity provider of (root)",
        "chat1: done",
    ]


def test_the_servers_of_a_deployment_share_their_realms() -> None:
    servers = [server(realm(), name=name, deployment=name[0]) for name in ("a1", "a2", "b1")]
    quiet = {"acme": logged()}
    fleet = Fleet(a1=[quiet, {"acme": logged(1001)}], a2=[quiet], b1=[quiet])
    found = fleet.wait(*servers, seconds=60)
    states = {name: each[0].state for name, each in found.items()}
    assert states == {"a1": State.OK, "a2": State.OK, "b1": State.NOT_BACK}


def test_ctrl_c_ends_the_wait() -> None:
    fleet = Fleet(chat1=[{"acme": logged()}])
    fleet.interrupt_at = 10
    ((found,),) = fleet.wait(server(realm())).values()
    assert found.state is State.NOT_BACK
    assert found.message.startswith(
        "no good request of the identity provider in 10 s (interrupted)"
    )


def test_an_error_of_a_server_does_not_end_the_wait() -> None:
    lost = Unreachable("connect", "connection lost")
    fleet = Fleet(chat1=[lost, {"acme": logged()}, lost, {"acme": logged(1001)}])
    ((found,),) = fleet.wait(server(realm())).values()
    assert found.state is State.OK
    fleet = Fleet(chat1=[lost])
    ((found,),) = fleet.wait(server(realm()), seconds=10).values()
    assert "(connection lost)" in found.message
    assert found.hint == "to look again: scimconf status chat1 --realm acme"

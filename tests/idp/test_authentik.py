"""authentik's API, on a miniature of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scimconf.idp.authentik import Authentik
from scimconf.idp.base import IdpError, NotSupportedError
from scimconf.model import Deliver
from scimconf.secret import Secret
from tests.idp.conftest import TARGET
from tests.lab.idp import Authentik as Server
from tests.lab.idp import Fault

Start = Callable[..., Any]
TOKEN = Secret("a-new-token-of-acme-with-43-characters")


def _authentik(server: Server, **settings: Any) -> Authentik:
    known = {"url": server.url, "provider": server.number, **settings}
    deliver = Deliver("authentik", known, ".")
    credential = server.credential
    return Authentik(deliver, TARGET, lambda _: Secret(credential), pause=lambda _: None)


def test_url_and_token_are_set(start: Start) -> None:
    server = start(Server)
    idp = _authentik(server)
    assert idp.check() is False
    idp.set(TOKEN)
    assert (server.client.base_url, server.client.token) == (TARGET.base_url, TOKEN.reveal())


def test_it_cannot_be_paused_but_a_running_sync_is_waited_for(start: Start) -> None:
    server = start(Server)
    waits = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        server.client._cycle.release()

    idp = _authentik(server)
    idp._sleep = pause
    server.client._cycle.acquire()
    with pytest.raises(NotSupportedError, match="cannot be paused"):
        idp.pause()
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("more", "hides", "words"),
    [
        ({"auth_mode": "oauth"}, False, "signs in with oauth, not with a token"),
        ({"token_ref": None}, False, "keeps the token elsewhere"),
        ({}, True, "keeps the token elsewhere"),
    ],
)
def test_a_release_that_keeps_the_token_elsewhere_is_refused(
    start: Start, more: dict[str, Any], hides: bool, words: str
) -> None:
    server = start(Server)
    server.more, server.hides_token = more, hides
    with pytest.raises(IdpError, match=words):
        _authentik(server).check()
    assert [method for method, _ in server.asked] == ["GET"]


def test_a_static_token_of_a_newer_release_is_accepted(start: Start) -> None:
    server = start(Server)
    server.more = {"auth_mode": "token"}
    _authentik(server).check()


def test_without_users_it_cannot_test(start: Start) -> None:
    with pytest.raises(NotSupportedError, match="has not synced a user yet"):
        _authentik(start(Server)).test()


def test_a_sync_that_fails_fails_the_test(start: Start) -> None:
    server = start(Server)
    server.client.users = {"ada@example.com": "Ada"}
    idp = _authentik(server)
    idp.set(TOKEN)
    with pytest.raises(IdpError, match="could not sync a user: Failed to sync object"):
        idp.test()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"messages": None},
        {"messages": ["could not sync"]},
        {"messages": [{"event": "no level"}]},
        {"messages": [{"log_level": "exception", "event": "x"}]},
        {"messages": [{"log_level": "info", "event": "a"}, {"log_level": "new", "event": "x"}]},
    ],
)
def test_an_answer_that_does_not_prove_a_sync_is_no_success(start: Start, answer: Any) -> None:
    server = start(Server)
    server.client.users = {"ada@example.com": "Ada"}
    real = server.answer
    server.answer = lambda method, *more: real(method, *more) if method == "GET" else (200, answer)
    with pytest.raises(IdpError):
        _authentik(server).test()


def test_a_wrong_provider_and_a_wrong_credential(start: Start) -> None:
    server = start(Server)
    with pytest.raises(IdpError, match="no such object"):
        _authentik(server, provider=13).check()
    server.credential = "other"
    idp = _authentik(server)
    server.credential = "changed"
    with pytest.raises(IdpError, match="403: the credential has no permission"):
        idp.check()


def test_a_lost_answer_to_set(start: Start) -> None:
    server = start(Server)
    server.faults.append(Fault("PATCH", loses_answer=True))
    _authentik(server).set(TOKEN)
    assert server.client.token == TOKEN.reveal()

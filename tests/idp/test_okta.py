"""Okta's API, on a miniature of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scimconf.idp.base import IdpError, NotSupportedError
from scimconf.idp.okta import Okta
from scimconf.model import Deliver
from scimconf.secret import Secret
from tests.idp.conftest import TARGET
from tests.lab.idp import Fault
from tests.lab.idp import Okta as Server

Start = Callable[..., Any]
TOKEN = Secret("a-new-token-of-acme-with-43-characters")


def _server(start: Start) -> Server:
    server: Server = start(Server)
    server.client.base_url = f"{TARGET.base_url}/"
    return server


def _okta(server: Server, **settings: Any) -> Okta:
    known = {"url": f"https://{server.host}", "app": server.app, **settings}
    credential = server.credential
    return Okta(
        Deliver("okta", known, "."), TARGET, lambda _: Secret(credential), pause=lambda _: None
    )


def test_the_token_is_set_and_the_connection_is_on(start: Start) -> None:
    server = _server(start)
    idp = _okta(server)
    assert idp.check() is False
    assert idp.set(TOKEN) == "Okta accepted the token, and the connection is on"
    assert (server.client.base_url, server.client.token) == (TARGET.base_url, TOKEN.reveal())
    assert idp.resume() == "the connection is on"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"authScheme": "UNKNOWN"}, "takes no token for this app .authScheme UNKNOWN, status ENA"),
        ({"status": "UNKNOWN"}, "takes no token for this app"),
        ({"authScheme": "OAUTH2"}, "authScheme OAUTH2"),
        ({"status": None}, "takes no token for this app"),
        ({"baseUrl": None}, "does not show the app's SCIM URL"),
    ],
)
def test_an_app_that_takes_no_token_gets_none(
    start: Start, more: dict[str, Any], words: str
) -> None:
    server = _server(start)
    server.more = more
    with pytest.raises(NotSupportedError, match=words):
        _okta(server).check()
    with pytest.raises(NotSupportedError, match=words):
        _okta(server).set(TOKEN)
    assert [method for method, _ in server.asked] == ["GET", "GET"]
    assert server.client.token == ""


def test_an_app_of_another_scim_url_gets_no_token(start: Start) -> None:
    server = _server(start)
    server.client.base_url = "https://evil.example.com/scim/v2"
    with pytest.raises(IdpError, match=r"is https://evil.example.com/scim/v2, not https://acme"):
        _okta(server).set(TOKEN)
    assert [method for method, _ in server.asked] == ["GET"]


@pytest.mark.parametrize("now", ["UNKNOWN", "DISABLED"])
def test_a_good_answer_with_another_state_is_no_success(start: Start, now: str) -> None:
    server = _server(start)
    idp = _okta(server)
    idp.check()
    server.more = {"status": now}
    with pytest.raises(IdpError, match=f"did not take the token .*status {now}") as error:
        idp.set(TOKEN)
    assert error.value.unknown


def test_a_connection_that_was_off_stays_off(start: Start) -> None:
    server = _server(start)
    server.is_on = False
    idp = _okta(server)
    assert idp.check() is True
    assert idp.set(TOKEN) == "Okta accepted the token, and the connection is off"
    assert (server.is_on, server.client.token) == (False, TOKEN.reveal())


def test_a_refused_token_that_turns_the_connection_off(start: Start) -> None:
    """The old token turns it on again: it was on before."""
    server = _server(start)
    idp = _okta(server)
    idp.check()
    server.refuses_token = True
    with pytest.raises(IdpError, match="did not take the token"):
        idp.set(TOKEN)
    assert not server.is_on
    server.refuses_token = False
    idp.set(Secret("the-old-token-of-acme-with-43-characters"))
    assert server.is_on


def test_a_connection_that_a_dead_run_left_off_is_turned_on(start: Start) -> None:
    server = _server(start)
    server.is_on, server.refuses_token = False, True
    idp = _okta(server)
    with pytest.raises(IdpError, match="the connection is still off"):
        idp.resume()
    server.refuses_token = False
    assert idp.resume() == "the connection is on"
    assert server.is_on


def test_it_cannot_be_paused_or_tested(start: Start) -> None:
    idp = _okta(_server(start))
    with pytest.raises(NotSupportedError, match="cannot be paused"):
        idp.pause()
    with pytest.raises(NotSupportedError, match="no call that tests a token"):
        idp.test()


def test_a_wrong_app_and_a_wrong_credential(start: Start) -> None:
    server = _server(start)
    with pytest.raises(IdpError, match=r"404: there is no such object.*\(E0000007: Not found"):
        _okta(server, app="0oa2example").check()
    idp = _okta(server)
    server.credential = "changed"
    with pytest.raises(IdpError, match=r"401: it did not accept the credential \(E0000011: Inv"):
        idp.check()


def test_throttling_and_a_lost_answer_to_set(start: Start) -> None:
    server = _server(start)
    server.faults.append(Fault("GET", status=429))
    server.faults.append(Fault("POST", loses_answer=True))
    _okta(server).set(TOKEN)
    assert server.client.token == TOKEN.reveal()


def test_a_credential_with_a_line_break_is_not_sent(start: Start) -> None:
    server = _server(start)
    server.credential = "00a\nX-More: b"
    with pytest.raises(IdpError, match="contains a space or a line break"):
        _okta(server).check()
    assert server.asked == []

"""The one place that talks to identity providers: limits, repetitions, and what is never sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from scimconf.idp.base import IdpError, shown
from scimconf.idp.https import LARGEST_ANSWER, Answer, Https, as_json
from scimconf.secret import Secret
from tests.lab.idp import Fault, Mini

Start = Callable[..., Any]


def _https(idp: Mini, pauses: list[float] | None = None, **more: Any) -> Https:
    waited = [] if pauses is None else pauses
    return Https("the provider", f"{idp.host}:{idp.port}", pause=waited.append, **more)


def _ask(idp: Mini, pauses: list[float] | None = None, **more: Any) -> int:
    bearer = Secret(idp.credential)
    return _https(idp, pauses, **more).ask("POST", "/resume", bearer=bearer, body={}).status


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_throttled_or_failed_request_is_repeated(start: Start, status: int) -> None:
    idp, pauses = start(Mini), []
    idp.faults.append(Fault(status=status, times=2))
    assert _ask(idp, pauses) == 200
    assert pauses == [0.5, 1.0]
    assert len(idp.asked) == 3


def test_retry_after_is_honoured_up_to_a_minute(start: Start) -> None:
    idp, pauses = start(Mini), []
    idp.faults.append(Fault(status=429, headers={"Retry-After": "7"}))
    assert _ask(idp, pauses) == 200
    assert pauses == [7.0]
    idp.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(IdpError, match=r"answered 429: it throttles .*asks to wait 3600 s"):
        _ask(idp, pauses)
    assert pauses == [7.0]


def test_a_date_in_retry_after(start: Start) -> None:
    idp, pauses = start(Mini), []
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    idp.faults.append(Fault(status=503, headers=past))
    assert _ask(idp, pauses) == 200
    assert pauses == [0.0]


def test_the_repetitions_end(start: Start) -> None:
    idp, pauses = start(Mini), []
    idp.faults.append(Fault(status=503, times=100))
    with pytest.raises(IdpError, match="answered 503") as error:
        _ask(idp, pauses)
    assert error.value.unknown
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_lost_answer_is_asked_for_again(start: Start) -> None:
    idp, pauses = start(Mini), []
    idp.faults.append(Fault(loses_answer=True))
    assert _ask(idp, pauses) == 200
    assert len(idp.asked) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "did not accept the request"), (401, "did not accept the credential"),
     (403, "no permission"), (404, "no such object"), (302, "redirects elsewhere")],
)  # fmt: skip
def test_a_refusal_is_final(start: Start, status: int, words: str) -> None:
    idp = start(Mini)
    idp.faults.append(Fault(status=status, headers={"Location": "https://elsewhere.test/"}))
    with pytest.raises(IdpError, match=words) as error:
        _ask(idp)
    assert not error.value.unknown
    assert len(idp.asked) == 1


def test_a_refusal_after_a_lost_answer_leaves_the_end_unknown(start: Start) -> None:
    """The first request may have been carried out, so the provider may have the new token."""
    idp = start(Mini)
    idp.faults += [Fault(loses_answer=True), Fault(status=403)]
    with pytest.raises(IdpError, match="no permission") as error:
        _ask(idp)
    assert error.value.unknown
    assert len(idp.asked) == 2


def test_an_answer_that_is_no_json_leaves_the_end_unknown() -> None:
    with pytest.raises(IdpError, match="invalid answer") as error:
        as_json(Answer(200, b"<html>"), "the provider")
    assert error.value.unknown


@pytest.mark.parametrize("text", ["-----BEGIN PRIVATE KEY-----\nMIIEvQ", "two words\n", "a'b c\nd"])
def test_a_credential_that_cannot_be_sent_is_not_shown(start: Start, text: str) -> None:
    """Python's error for an invalid header quotes it, in a form that no mask recognizes."""
    idp = start(Mini)
    with pytest.raises(IdpError, match="contains a space or a line break") as error:
        _https(idp).ask("GET", "/", bearer=Secret(text))
    assert error.value.final
    assert not {"MIIEvQ", "words", "b c"} & set(error.value.text.replace("\\n", " ").split())
    assert idp.asked == []


def test_a_slow_answer_is_not_waited_for(start: Start) -> None:
    idp = start(Mini)
    idp.faults.append(Fault(seconds=5, times=100))
    with pytest.raises(IdpError, match="no complete answer in time") as error:
        _ask(idp, timeout=0.1)
    assert error.value.unknown


def test_a_wrong_certificate_stops_everything(start: Start) -> None:
    idp = start(Mini, expired=True)
    with pytest.raises(IdpError, match="its certificate is not accepted") as error:
        _ask(idp)
    assert error.value.final
    assert idp.asked == []


def test_nobody_listens(start: Start) -> None:
    idp = start(Mini)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    idp_gone = Https("the provider", f"127.0.0.1:{port}", pause=lambda _: None)
    with pytest.raises(IdpError, match="did not reach the provider: Connection refused") as error:
        idp_gone.ask("GET", "/")
    assert not error.value.unknown
    assert idp.asked == []


def test_what_a_provider_says_is_bounded_and_sanitized(start: Start) -> None:
    idp = start(Mini)
    secret = Secret("a-token-that-the-provider-repeats")
    said = {"detail": "\x1b[31mbad\n" + secret.reveal() + "x" * 4000}
    idp.answer = lambda *_: (400, said)
    with pytest.raises(IdpError) as error:
        _ask(idp)
    assert "\x1b" not in error.value.message
    assert secret.reveal() not in error.value.message
    assert len(error.value.message) < 300
    assert shown("x" * 30 + secret.reveal(), 40) == "x" * 30 + "<secret>", "masked, then cut"
    divided = f"{secret.reveal()[:9]}\n{secret.reveal()[9:]}"
    assert shown(divided) == "its words are not shown, because they contain a secret"


def test_a_large_answer_is_cut_and_not_believed(start: Start) -> None:
    idp = start(Mini)
    idp.answer = lambda *_: (200, {"x": "y" * (LARGEST_ANSWER + 10)})
    answer = _https(idp).ask("GET", "/")
    assert len(answer.body) == LARGEST_ANSWER
    with pytest.raises(IdpError, match="invalid answer"):
        as_json(answer, "the provider")

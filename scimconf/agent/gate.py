"""The gate: the local web server must accept the tokens before the transaction commits."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Sequence

from scimconf.agent.errors import AgentError, redacted

if TYPE_CHECKING:
    from scimconf.agent.probe import WebServer

IN_A_ROW = 5
"""Good answers that are needed. One is not enough, because a rolling restart returns before every
worker is new."""

_PAUSE = 0.5
"""Seconds between two attempts."""

_MEANING = {
    None: "there is no answer",
    400: "Zulip does not accept the host name (400)",
    401: "the token is not accepted (401)",
    404: "there is no such organisation (404)",
}


@redacted
class Question(NamedTuple):
    """One check of a realm. If `token` is None, a random wrong token is sent."""

    realm: str
    host: str
    token: Optional[str]
    wanted: bool
    """True: Zulip must accept the token. False: it must refuse it."""
    site_only: bool = False
    """Only check that Zulip is up. If SCIM_CONFIG is undefined, Zulip before 11.0 mails a traceback
    to the administrators for every SCIM request.
    """


@redacted
class Before(NamedTuple):
    """How a realm answered to its old token before the change."""

    realm: str
    host: str
    token: str
    status: Optional[int]


def check_new(
    server: WebServer, questions: Sequence[Question], before: Sequence[Before], seconds: float
) -> None:
    """Return once every wanted token is accepted, and every unwanted or wrong token is refused.

    Several good answers in a row are needed from questions that the old workers would answer in
    another way (`before`); the others are asked once. Raises AgentError with the first problem that
    remains after `seconds`.
    """
    worked = {(each.realm, each.token) for each in before if each.status == 200}
    telling = [q for q in questions if q.wanted != ((q.realm, q.token) in worked)] or questions

    def problem(asked: Sequence[Question]) -> Optional[str]:
        for each in asked:
            if each.site_only:
                if found := down(server, each.host):
                    return found
                continue
            status = server.users(each.host, each.token or wrong_token())
            if each.wanted and status != 200:
                return f"{_label(each.realm)}: {meaning(status)}"
            if not each.wanted and (status == 200 or status is None):
                what = "its old token is still accepted" if status else meaning(status)
                return f"{_label(each.realm)}: {what}"
        return None

    def accepts_any() -> Optional[str]:
        for each in questions:
            status = server.users(each.host, wrong_token()) if each.wanted else 401
            if status != 401:
                return f"{_label(each.realm)}: a wrong token was answered with {status}, not 401"
        return None

    rounds = [lambda: problem(questions), *[lambda: problem(telling)] * _more_rounds(telling)]
    _wait_for(server, [*rounds, accepts_any], seconds)


def check_restored(
    server: WebServer,
    before: Sequence[Before],
    after: Sequence[Question],
    host: str,
    seconds: float,
) -> None:
    """Return once the site is up, and each old token is accepted or has its old status.

    As in `check_new`, several good answers in a row are needed about tokens that the workers of the
    failed change refuse (`after`). Raises AgentError with the first problem that remains after
    `seconds`.
    """
    kept = {(each.realm, each.token) for each in after if each.wanted}
    telling = [b for b in before if b.status == 200 and (b.realm, b.token) not in kept] or before

    def problem(asked: Sequence[Before]) -> Optional[str]:
        if found := down(server, host):
            return found
        for each in asked:
            status = server.users(each.host, each.token)
            if status not in (200, each.status):
                return f"{_label(each.realm)}: {meaning(status)}"
        return None

    rounds = [lambda: problem(before), *[lambda: problem(telling)] * _more_rounds(telling)]
    _wait_for(server, rounds, seconds)


def _more_rounds(questions: Sequence[object]) -> int:
    """Return how many more rounds of these questions give IN_A_ROW answers."""
    return (IN_A_ROW - 1) // len(questions) if questions else IN_A_ROW - 1


def down(server: WebServer, host: str) -> Optional[str]:
    """Return why the site counts as down; None: Zulip answers."""
    status = server.site(host)
    if status is None:
        return "the site does not answer"
    return f"the site is down: its web server answers {status}" if status >= 500 else None


def meaning(status: Optional[int]) -> str:
    """Return what an HTTP status means for SCIM."""
    if status in _MEANING:
        return _MEANING[status]
    if status is not None and status >= 500:
        return f"the server fails ({status}), see /var/log/zulip/errors.log"
    return f"the answer is {status}"


def wrong_token() -> str:
    """Return a random token that no realm has."""
    return os.urandom(32).hex()


def _wait_for(
    server: WebServer, rounds: Sequence[Callable[[], Optional[str]]], seconds: float
) -> None:
    """Return once all rounds in a row find no problem."""
    deadline = time.monotonic() + seconds
    while True:
        found = None
        for each in rounds:
            with server.shared():  # each round has a connection of its own
                found = each()
            if found:
                break
        if not found:
            return
        if time.monotonic() > deadline:
            raise AgentError(found)
        time.sleep(_PAUSE)


def _label(realm: str) -> str:
    return f"realm {realm or '(root)'}"

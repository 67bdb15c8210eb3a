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


def check_new(server: WebServer, questions: Sequence[Question], seconds: float) -> None:
    """Return once every wanted token is accepted, and every unwanted or wrong token is refused.

    Raises AgentError with the first problem that remains after `seconds`.
    """

    def problem() -> Optional[str]:
        for each in questions:
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

    _wait_until_steady(problem, accepts_any, seconds)


def check_restored(server: WebServer, before: Sequence[Before], host: str, seconds: float) -> None:
    """Return once the site is up, and each old token is accepted or has its old status.

    Raises AgentError with the first problem that remains after `seconds`.
    """

    def problem() -> Optional[str]:
        if found := down(server, host):
            return found
        for each in before:
            status = server.users(each.host, each.token)
            if status not in (200, each.status):
                return f"{_label(each.realm)}: {meaning(status)}"
        return None

    _wait_until_steady(problem, lambda: None, seconds)


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


def _wait_until_steady(
    problem: Callable[[], Optional[str]], last_check: Callable[[], Optional[str]], seconds: float
) -> None:
    """Return once `problem` finds none several times in a row, and then `last_check` finds none."""
    deadline = time.monotonic() + seconds
    good = 0
    while True:
        found = problem()
        good = 0 if found else good + 1
        if good == IN_A_ROW:
            found = last_check()
            if not found:
                return
            good = 0
        if found:
            if time.monotonic() > deadline:
                raise AgentError(found)
            time.sleep(_PAUSE)


def _label(realm: str) -> str:
    return f"realm {realm or '(root)'}"

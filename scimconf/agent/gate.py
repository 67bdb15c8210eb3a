"""The gate: nothing is committed before the realms' own web server has let the tokens in."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Sequence

from scimconf.agent.errors import AgentError, redacted

if TYPE_CHECKING:
    from scimconf.agent.probe import WebServer

IN_A_ROW = 5
"""Good answers: a rolling restart returns before every worker is new, so one proves nothing."""

_PAUSE = 0.5
"""Seconds between two tries."""

_MEANING = {
    None: "there is no answer",
    400: "Zulip does not accept the host name (400)",
    401: "the token is not accepted (401)",
    404: "there is no such organisation (404)",
}


@redacted
class Question(NamedTuple):
    """What is asked for one realm. A token of None: one that nobody has."""

    realm: str
    host: str
    token: Optional[str]
    wanted: bool
    """Whether the token has to be let in, or has to be out."""
    harmless: bool = False
    """Whether SCIM must not be asked, because SCIM_CONFIG will be undefined and each question would
    be mailed to the administrators: that Zulip is up is all that is wanted.
    """


@redacted
class Before(NamedTuple):
    """How a realm answered to the token it had before anything was changed."""

    realm: str
    host: str
    token: str
    status: Optional[int]


def check_new(server: WebServer, questions: Sequence[Question], seconds: float) -> None:
    """Return once every token in is let in, every token out and every wrong one is not.

    Raises AgentError with the first thing that is still wrong after `seconds`.
    """

    def wrong() -> str:
        for each in questions:
            if each.harmless:
                if problem := down(server, each.host):
                    return problem
                continue
            status = server.users(each.host, each.token or wrong_token())
            if each.wanted and status != 200:
                return f"{_label(each.realm)}: {meaning(status)}"
            if not each.wanted and (status == 200 or status is None):
                what = "its old token is still let in" if status else meaning(status)
                return f"{_label(each.realm)}: {what}"
        return ""

    def open_to_all() -> str:
        for each in questions:
            status = server.users(each.host, wrong_token()) if each.wanted else 401
            if status != 401:
                return f"{_label(each.realm)}: a wrong token was answered with {status}, not 401"
        return ""

    _steadily(wrong, open_to_all, seconds)


def check_restored(server: WebServer, before: Sequence[Before], host: str, seconds: float) -> None:
    """Return once the site is as it was: alive, and each old token let in as it was, or better.

    Raises AgentError with the first thing that is still wrong after `seconds`.
    """

    def wrong() -> str:
        if problem := down(server, host):
            return problem
        for each in before:
            status = server.users(each.host, each.token)
            if status not in (200, each.status):
                return f"{_label(each.realm)}: {meaning(status)}"
        return ""

    _steadily(wrong, lambda: "", seconds)


def down(server: WebServer, host: str) -> str:
    """Return how the site is down; "" if Zulip answers."""
    status = server.site(host)
    if status is None:
        return "the site does not answer"
    return f"the site is down: its web server answers {status}" if status >= 500 else ""


def meaning(status: Optional[int]) -> str:
    """Say what an HTTP status means here."""
    if status in _MEANING:
        return _MEANING[status]
    if status is not None and status >= 500:
        return f"the server fails ({status}), see /var/log/zulip/errors.log"
    return f"the answer is {status}"


def wrong_token() -> str:
    """Give a token that nobody has."""
    return os.urandom(32).hex()


def _steadily(wrong: Callable[[], str], at_last: Callable[[], str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    good = 0
    while True:
        problem = wrong()
        good = 0 if problem else good + 1
        if good == IN_A_ROW:
            problem = at_last()
            if not problem:
                return
            good = 0
        if problem:
            if time.monotonic() > deadline:
                raise AgentError(problem)
            time.sleep(_PAUSE)


def _label(realm: str) -> str:
    return f"realm {realm or '(root)'}"

"""Ask an identity provider over HTTPS: the only place where this room opens a connection.

No redirect is followed, certificates are checked, and answers and times are bounded. A throttled or
failed request is repeated with a growing pause. Every request of this room can be repeated safely.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import queue
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from scimconf import __version__, files
from scimconf.idp.base import IdpError, shown
from scimconf.sanitize import one_line
from scimconf.secret import Secret
from scimconf.timed_socket import TimedSocket

LARGEST_ANSWER = 1 << 20
"""Bytes."""
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each repetition, if the provider names no time."""
_LONGEST_PAUSE = 60.0
"""Seconds. A provider that asks for a longer pause is not asked again."""
_AGAIN = (429, 502, 503, 504)
_WORD = re.compile(r"[!-~]+")
_MEANINGS = {
    400: "it did not accept the request",
    401: "it did not accept the credential",
    403: "the credential has no permission for this",
    404: "there is no such object, or the credential may not see it",
    429: "it throttles requests",
}
_HINTS = {
    401: "check the credential of deliver, and that it has not expired",
    403: "give the credential the permissions that scimconf needs: scimconf help delivery",
    404: "check the ids in deliver, and the permissions of the credential: scimconf help delivery",
    429: "wait, then run the command again",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a provider. Its body may contain secrets and is never shown as a whole."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By lower-case name."""


@dataclass(frozen=True)
class Https:
    """One provider's HTTPS server."""

    name: str
    """For messages: "authentik at sso.example.com"."""
    host: str
    """With a port, if it is not 443."""
    ca: str | None = None
    """A file of CA certificates; None: the system's."""
    timeout: float = 20.0
    """Seconds for each request as a whole."""
    patience: float = 120.0
    """Seconds for a request with its repetitions."""
    scheme: str = "Bearer"
    """Of the Authorization header."""
    pause: Callable[[float], None] = time.sleep

    def ask(
        self,
        method: str,
        path: str,
        *,
        bearer: Secret | None = None,
        body: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
        good: tuple[int, ...] = (200, 201, 202, 204),
    ) -> Answer:
        """Send a request, repeat it if needed, and return an answer with a status of `good`.

        A Secret in `body` or `form` is sent in clear. Raises IdpError, which is `unknown` if one of
        the requests may have been carried out.
        """
        until = time.monotonic() + self.patience
        unknown = False
        for number in range(len(_PAUSES) + 1):
            lost: IdpError | None = None
            try:
                answer = self._once(method, path, bearer, body, form)
            except IdpError as error:
                answer, lost = Answer(0), error
            if answer.status in good:
                return answer
            wait = _retry_after(answer) if answer.status in (429, 503) else None
            wait = _PAUSES[min(number, len(_PAUSES) - 1)] if wait is None else wait
            failed = lost or self._refused(answer, wait)
            failed.unknown = unknown = unknown or failed.unknown
            is_final = failed.final or (lost is None and answer.status not in _AGAIN)
            is_last = number == len(_PAUSES) or time.monotonic() + wait > until
            if is_final or is_last or wait > _LONGEST_PAUSE:
                raise failed
            self.pause(wait)
        raise AssertionError("the loop ends with an answer or an error")

    def _once(
        self,
        method: str,
        path: str,
        bearer: Secret | None,
        body: Mapping[str, object] | None,
        form: Mapping[str, object] | None,
    ) -> Answer:
        headers = {"Accept": "application/json", "User-Agent": f"scimconf/{__version__}"}
        data = None
        if body is not None:
            data = json.dumps(body, default=_clear).encode()
            headers["Content-Type"] = "application/json"
        elif form is not None:
            data = urlencode({name: _plain(value) for name, value in form.items()}).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif method in ("POST", "PUT", "PATCH"):
            data = b""
        if bearer is not None:
            headers["Authorization"] = f"{self.scheme} {self._word(bearer)}"
        request = urllib.request.Request(f"https://{self.host}{path}", data, headers, method=method)
        return self._within(lambda: self._send(request))

    def _word(self, bearer: Secret) -> str:
        """Return the text of a credential. Python's error for an invalid header would show it."""
        text = bearer.reveal()
        if not _WORD.fullmatch(text):
            raise IdpError(
                f"{self.name} was not asked: the credential contains a space or a line break",
                "check where the credential of deliver comes from: it may name another file",
                final=True,
            )
        return text

    def _send(self, request: urllib.request.Request) -> Answer:
        opener = urllib.request.build_opener(
            _NoRedirect(), urllib.request.HTTPSHandler(context=self._context())
        )
        try:
            with opener.open(request, timeout=self.timeout) as response:
                return _answer(response)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error)
        except urllib.error.URLError as error:
            raise self._not_reached(error.reason) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._not_reached(error) from None

    def _context(self) -> ssl.SSLContext:
        text = None
        try:
            if self.ca is not None:
                text = files.read(self.ca, files.MAX_LIST_BYTES).decode("ascii", "ignore")
            context = ssl.create_default_context(cadata=text)
            context.sslsocket_class = TimedSocket
            return context
        except (OSError, ValueError) as error:
            said = shown(error, 120)
            message = f"cannot use {self.ca} as a file of CA certificates: {said}"
            raise IdpError(message, "correct the file", final=True) from None

    def _not_reached(self, reason: object) -> IdpError:
        """Return the error for a missing answer. A refused connection has done nothing."""
        if isinstance(reason, ssl.SSLCertVerificationError):
            said = one_line(reason.verify_message, 120)
            return IdpError(
                f"{self.name} was not asked: its certificate is not accepted: {said}",
                _CERTIFICATE,
                final=True,
            )
        known = isinstance(reason, ConnectionRefusedError | socket.gaierror)
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        if isinstance(reason, TimeoutError):
            said = "no complete answer in time"
        elif isinstance(reason, http.client.HTTPException):
            said = "the connection ended before the answer was complete"
        return IdpError(
            f"this machine did not reach {self.name}: {shown(said, 120)}",
            "check that it is running, and that this machine may connect to it",
            unknown=not known,
        )

    def _refused(self, answer: Answer, wait: float = 0.0) -> IdpError:
        meaning = _MEANINGS.get(answer.status, "it did not do what was asked")
        if answer.status in (301, 302, 303, 307, 308):
            meaning = "it redirects elsewhere, which is never followed"
        said = f" ({text})" if (text := _complaint(answer)) else ""
        later = f"; it asks to wait {wait:g} s" if wait > _LONGEST_PAUSE else ""
        unknown = answer.status >= 500
        return IdpError(
            f"{self.name} answered {answer.status}: {meaning}{said}{later}",
            _HINTS.get(answer.status, ""),
            unknown=unknown,
        )

    def _within(self, question: Callable[[], Answer]) -> Answer:
        """Ask in a thread, for at most `timeout` seconds: urllib's own covers each read only."""
        answers: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(question())
            except Exception as error:
                answers.put(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            found = answers.get(timeout=self.timeout)
        except queue.Empty:
            found = self._not_reached(TimeoutError())
        if isinstance(found, Exception):
            raise found
        return found


_CERTIFICATE = "a request with a secret is never sent without a valid certificate; correct it there"


def as_json(answer: Answer, name: str) -> Mapping[str, object]:
    """Return the JSON object of an answer. Raises IdpError, which is `unknown`."""
    try:
        found = json.loads(answer.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise IdpError(f"{name} sent an invalid answer; it was ignored", unknown=True)
    return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect, so that nothing secret is sent elsewhere. The 3xx is the answer."""

    def redirect_request(self, *_: object) -> None:
        return None


def _answer(response: http.client.HTTPResponse | urllib.error.HTTPError) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status or 0, response.read(LARGEST_ANSWER), headers)


def _clear(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(type(value).__name__)


def _plain(value: object) -> str:
    if isinstance(value, bytes):  # msal's assertions
        return value.decode()
    return value.reveal() if isinstance(value, Secret) else str(value)


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3: a number or a date); else None."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, moment - time.time())


def _complaint(answer: Answer) -> str:
    """Return what a provider says about an error, in Graph's, Django's and Okta's form: data."""
    try:
        found = json.loads(answer.body[:65536])
    except (ValueError, RecursionError):
        return ""
    if isinstance(found, dict) and "errorCode" in found:
        found = {"code": found["errorCode"], "message": found.get("errorSummary")}
    elif isinstance(found, dict):
        found = found.get("error", found.get("detail"))
    if isinstance(found, dict):
        code, message = found.get("code"), found.get("message")
        found = ": ".join(each for each in (code, message) if isinstance(each, str) and each)
    return shown(found) if isinstance(found, str) else ""

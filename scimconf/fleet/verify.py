"""Send the connection test of its identity provider to a realm's public URL.

This machine sends it over the real network. An unreachable URL is a warning. A wrong answer, or a
certificate that the identity provider would refuse, is a failure. The first request has a wrong
token. The right token is sent only if the answer to the wrong one is Zulip's.
"""

from __future__ import annotations

import http.client
import json
import queue
import secrets
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from scimconf import __version__, files
from scimconf.model import Check, Realm, Server
from scimconf.plan.commands import for_realm
from scimconf.sanitize import one_line
from scimconf.secret import Secret
from scimconf.timed_socket import TimedSocket
from scimconf.zulip.answers import explain, list_response
from scimconf.zulip.bearer import why_unusable
from scimconf.zulip.hosts import refusal
from scimconf.zulip.presets import PRESETS, Preset

LARGEST_ANSWER = 256 * 1024
"""The most bytes that are read of a body; a page of two users has a few thousand."""

WRONG, RIGHT = "wrong token", "right token"
"""The names of the checks."""

Result = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Hosts:
    """The host names in a server's settings."""

    external_host: str
    realm_hosts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body; or the reason for no answer, with status None."""

    status: int | None
    body: bytes = b""
    location: str = ""
    """Scheme and host of a redirect."""
    trouble: str = ""
    hint: str = ""
    refused: bool = False
    """Whether an identity provider would refuse the certificate."""


def verify(
    server: Server,
    realm: Realm,
    token: Secret,
    hosts: Hosts | None = None,
    answers: int = 1,
    timeout: float = 15.0,
    more: Callable[[Asker], Iterable[Check]] = lambda asker: (),
) -> tuple[Check, ...]:
    """Send the connection test of the realm's identity provider, with a wrong and the right token.

    `hosts`: None means the inventory's external host. `answers`: how many good answers in a row
    are needed; several after a restart, because workers restart one by one. `timeout`: seconds for
    each request as a whole. `more`: further checks, if the right token is accepted.
    """
    known = hosts or Hosts(server.external_host, {})
    if reason := refusal(realm.url, known.external_host, known.realm_hosts):
        hint = "correct the realm's url in the inventory, or EXTERNAL_HOST on the server"
        message = f"no token is sent: {reason}"
        return (Check(realm.string_id, "address", "failed", message, hint=hint),)
    if unusable := why_unusable(token.reveal()):
        message = f"the token cannot be used: {unusable}"
        command = for_realm("rotate", server, realm.string_id)
        hint = f"replace the token: {command}; if it is kept elsewhere, replace it there"
        return (Check(realm.string_id, RIGHT, "failed", message, hint=hint),)
    try:
        context = _context(server.ca)
    except (OSError, ValueError) as error:
        message = (
            f"cannot use {server.ca} as a file of CA certificates: {one_line(str(error), 120)}"
        )
        return (Check(realm.string_id, "address", "failed", message, hint="correct scim_ca"),)
    asker = Asker(realm, context, timeout)
    try:
        wrong = _wrong_token(asker)
        if wrong.result != "ok":
            return (wrong,)
        right = _right_token(asker, token, answers)
        return (wrong, right, *(more(asker) if right.result == "ok" else ()))
    finally:
        asker.close()


def _context(ca: str | None) -> ssl.SSLContext:
    """Return the context that checks certificates. Raises OSError, ValueError for a bad CA file."""
    if ca is None:
        return _trusting(None)
    return _trusting(files.read(ca, files.MAX_LIST_BYTES).decode("ascii", "ignore"))


@lru_cache(maxsize=16)  # reading the authorities of the system takes 20 ms
def _trusting(certificates: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificates)
    context.sslsocket_class = TimedSocket
    return context


def _wrong_token(asker: Asker) -> Check:
    """Send a random token. The right answer is 401."""
    answer = asker.ask(Secret(secrets.token_hex(32)))
    if answer.status == 401:
        return asker.check(WRONG, "ok", "a wrong token is refused", answer)
    if answer.status == 200:
        message = "a wrong token is accepted, so this is not Zulip; the right token was not sent"
        hint = "check which program answers at this host name"
        return asker.check(WRONG, "failed", message, answer, hint)
    return asker.trouble(WRONG, answer)


def _right_token(asker: Asker, token: Secret, answers: int) -> Check:
    """Send the realm's token `answers` times. Stop at the first bad answer."""
    for number in range(1, answers + 1):
        answer = asker.ask(token)
        before = f" (after {number - 1} good answers)" if number > 1 else ""
        if answer.status != 200:
            return asker.trouble(RIGHT, answer, before)
        total = list_response(answer.body)
        if total is None:
            message = f"the answer is not a SCIM list{before}"
            hint = "check which program answers at this host name"
            return asker.check(RIGHT, "failed", message, answer, hint)
        if total and asker.preset.tests_by_filter:
            message = f"a user was returned for a random name{before}: the filter is ignored"
            hint = "check whether a proxy in front of the server removes the query from the URL"
            return asker.check(RIGHT, "failed", message, answer, hint)
    times = f", {answers} times in a row" if answers > 1 else ""
    message = f"{asker.preset.title}'s connection test is answered{times}"
    return asker.check(RIGHT, "ok", message, answer)


# --- one request ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Request:
    """One request: its method, its path with the query, and its body."""

    method: str
    path: str
    body: bytes | None


class Asker:
    """Sends the connection test of an identity provider to one realm's URL.

    All requests use one connection, as far as the server allows it. Each realm has its own, because
    the certificate is checked for each host name.
    """

    def __init__(self, realm: Realm, context: ssl.SSLContext, timeout: float) -> None:
        self.realm = realm
        self._context = context
        self._timeout = timeout
        self._line: http.client.HTTPConnection | None = None

    @property
    def preset(self) -> Preset:
        return PRESETS[self.realm.idp]

    def ask(self, token: Secret) -> Answer:
        """Send the connection test with this token."""
        return self.send(token, "GET", self.preset.connection_test(str(uuid.uuid4())))

    def send(self, token: Secret, method: str, path: str, body: object = None) -> Answer:
        """Send one request with this token. `body` becomes JSON; None: no body."""
        # While a request is under way, the connection belongs to its thread alone.
        line, self._line = self._line, None
        request = _Request(method, path, None if body is None else json.dumps(body).encode())
        answer, self._line = _within(self._timeout, lambda: self._ask(token, request, line))
        return answer

    def _ask(
        self, token: Secret, request: _Request, line: http.client.HTTPConnection | None
    ) -> _Answered:
        url = urlsplit(self.realm.url)
        request = replace(request, path=url.path + request.path)
        if line and request.method != "GET":
            line.close()  # if it were already closed, the request would have to be sent twice
        elif line:
            with suppress(OSError, http.client.HTTPException):  # the server has closed it
                return _send(line, url.netloc, request, token)
        try:
            if url.scheme == "https":  # refusal() let only http and https pass
                line = http.client.HTTPSConnection(
                    url.netloc, timeout=self._timeout, context=self._context
                )
            else:
                line = http.client.HTTPConnection(url.netloc, timeout=self._timeout)
            return _send(line, url.netloc, request, token)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return _not_reached(error), None

    def close(self) -> None:
        """Close the connection."""
        if self._line:
            self._line.close()

    def check(
        self, name: str, result: Result, message: str, answer: Answer, hint: str = ""
    ) -> Check:
        return Check(self.realm.string_id, name, result, message, answer.status, hint)

    def trouble(self, name: str, answer: Answer, before: str = "") -> Check:
        """Return the check for a missing or a wrong answer.

        The target of a redirect is shown only for the wrong token, because an answer to the right
        token could contain that token.
        """
        if answer.status is None:
            if answer.refused:
                message = f"{self.realm.url} was not asked{before}: {answer.trouble}"
                return self.check(name, "failed", message, answer, answer.hint)
            message = f"this machine did not reach {self.realm.url}{before}: {answer.trouble}"
            return self.check(name, "warning", message, answer, answer.hint)
        meaning, hint = explain(answer.status, answer.location if name == WRONG else "")
        return self.check(name, "failed", f"{meaning}{before}", answer, hint)


_Answered = tuple[Answer, http.client.HTTPConnection | None]
"""An answer, and the connection if it can be used for another request."""


def _send(
    line: http.client.HTTPConnection, host: str, request: _Request, token: Secret
) -> _Answered:
    """Send a request, and read the answer.

    No redirect is followed, so that the token is not sent elsewhere. The 3xx is the answer.
    """
    try:
        line.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        line.putheader("Host", host)
        line.putheader("Authorization", f"Bearer {token.reveal()}")
        line.putheader("Accept", "application/scim+json")
        line.putheader("Accept-Encoding", "identity")
        line.putheader("User-Agent", f"scimconf/{__version__}")
        if request.body is not None:
            line.putheader("Content-Type", "application/scim+json")
            line.putheader("Content-Length", str(len(request.body)))
        line.endheaders(request.body)
        with line.getresponse() as response:
            body = response.read(LARGEST_ANSWER)
            location = _host_of(response.getheader("Location") or "")
            stays_open = line.sock is not None and response.isclosed()
    except BaseException:
        line.close()
        raise
    if not stays_open:
        line.close()
    is_good = 200 <= response.status < 300
    answer = Answer(response.status, body, "" if is_good else location)
    return answer, line if stays_open else None


def _host_of(location: str) -> str:
    """Return scheme and host of a redirect. Leave out the rest, which may contain a secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    return one_line(f"{parts.scheme}://{parts.hostname}", 120) if parts.hostname else ""


def _not_reached(reason: object) -> Answer:
    """Explain why there is no answer."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        trouble = f"its certificate is not accepted: {one_line(reason.verify_message, 120)}"
        hint = certificate_hint(reason.verify_code)
        return Answer(None, trouble=trouble, hint=hint, refused=True)
    if isinstance(reason, ssl.SSLError):
        trouble = f"no TLS connection: {one_line(reason.reason or str(reason), 120)}"
        return Answer(None, trouble=trouble, hint="check that this is the web server's https port")
    if isinstance(reason, socket.gaierror):
        hint = "check that the DNS record exists, and that this machine can resolve it"
        return Answer(None, trouble="the host name has no address", hint=hint)
    if isinstance(reason, TimeoutError):
        return _timed_out()
    if isinstance(reason, http.client.HTTPException):
        trouble = "the answer is not HTTP, or incomplete"
        return Answer(None, trouble=trouble, hint="check which program listens on that port")
    if isinstance(reason, ConnectionRefusedError):
        hint = "check that the web server is running, and that the port is right"
        return Answer(None, trouble="connection refused", hint=hint)
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return Answer(None, trouble=one_line(text, 120), hint="check that this machine can reach it")


_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_NOT_IN_FORCE = (9, 10)
_WRONG_NAME = (62, 64)
"""OpenSSL's X509_V_ERR_ codes (x509_vfy.h); 18 is a self-signed certificate."""


def certificate_hint(code: int) -> str:
    """Return what to do about a refused certificate. `code` is OpenSSL's reason."""
    if code in _UNKNOWN_ISSUER:
        return (
            "install the whole chain of a CA that the identity provider trusts; if this is a "
            "private CA that it trusts, set scim_ca to the file of the CA's certificate"
        )
    if code in _NOT_IN_FORCE:
        return "renew the certificate on the server; check the clock of this machine too"
    if code in _WRONG_NAME:
        return "get a certificate that names this host, or correct the realm's url in the inventory"
    return "to see the certificate: openssl s_client -connect HOST:443 -servername HOST"


def _timed_out() -> Answer:
    hint = "check whether a firewall drops packets, or the server is overloaded"
    return Answer(None, trouble="no complete answer in time", hint=hint)


def _within(seconds: float, question: Callable[[], _Answered]) -> _Answered:
    """Send a request in a thread, and wait for its answer at most `seconds`.

    The timeout of a socket is for each read and does not cover DNS. A server that sends slowly, or
    a resolver that hangs, would block us. The thread ends after its own timeouts.
    """
    answers: queue.SimpleQueue[_Answered] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(question()), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return _timed_out(), None

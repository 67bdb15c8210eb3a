"""Asking the web server of this very machine, as an identity provider would ask it.

It goes to an address, with a realm's host name as Host header and in TLS (SNI), so that neither
DNS nor a load balancer is in the way. No redirect is followed, no proxy used.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
from typing import TYPE_CHECKING, Iterator, NamedTuple, Optional
from urllib.parse import urlsplit

from scimconf.agent.errors import AgentError

if TYPE_CHECKING:
    import ssl

ALIVE = "/api/v1/server_settings"
_USERS = "/scim/v2/Users?count=1"
_LOGIN = "/login/"
SECONDS = 15.0
"""For one request, from connect to the last byte."""

_USUAL = ("https://127.0.0.1:443", "http://127.0.0.1:80")
_LIMIT = 64 * 1024
_LONGEST = 500
"""Characters of a Location that are looked at."""


class _Place(NamedTuple):
    address: str
    port: int
    tls: bool


class Answer(NamedTuple):
    """An answer, as far as anybody looks at it."""

    status: Optional[int]
    """None: there was none."""
    location: str = ""
    """Where it redirects to, as the server says it."""


class WebServer:
    """Where the local web server is; `base` None: https on 127.0.0.1:443, then http on 80."""

    def __init__(self, base: Optional[str]) -> None:
        """Raises AgentError for what is no URL of a web server."""
        self._places = tuple(_place(each) for each in ((base,) if base else _USUAL))

    def status(self, host: str, path: str, token: Optional[str] = None) -> Optional[int]:
        """Return the HTTP status of a GET; None: no answer."""
        return self.answer(host, path, token).status

    def answer(self, host: str, path: str, token: Optional[str] = None) -> Answer:
        """Return the answer to a GET."""
        import http.client  # 20 ms, which a plan that asks no web server is spared

        for place in self._places:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                return _get(place, host, path, token)
        return Answer(None)

    def users(self, host: str, token: str) -> Optional[int]:
        """Give the HTTP status that a SCIM client with this token gets; None: no answer."""
        return self.status(host, _USERS, token)

    def login(self, host: str) -> Answer:
        """Ask for a realm's login page: where SCIM_CONFIG is undefined (before 11.0) each question
        to SCIM is a traceback that is mailed to the administrators, and this one harms nobody.
        """
        return self.answer(host, _LOGIN)

    def site(self, host: str) -> Optional[int]:
        """Return the HTTP status that tells whether Zulip answers at all; None: no answer."""
        return self.status(host, ALIVE)

    def alive(self, host: str) -> bool:
        """Return whether Zulip answers at all: anything but an error of the server."""
        status = self.site(host)
        return status is not None and status < 500


def _place(base: str) -> _Place:
    try:
        url = urlsplit(base)
        address, tls = url.hostname or "", url.scheme == "https"
        port = url.port or (443 if tls else 80)
    except ValueError:
        raise AgentError("scim_probe is not a URL") from None
    if url.scheme not in ("https", "http") or not address:
        raise AgentError("scim_probe is not a URL with http or https")
    return _Place(address, port, tls)


def _get(place: _Place, host: str, path: str, token: Optional[str]) -> Answer:
    import http.client

    with _connected(place, host) as connected:
        connection = http.client.HTTPConnection(place.address, place.port)
        connection.sock = connected
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        connection.putheader("User-Agent", "scimconf")
        connection.putheader("Connection", "close")
        if token is not None:
            connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        response = connection.getresponse()
        response.read(_LIMIT)
        return Answer(response.status, (response.getheader("Location") or "")[:_LONGEST])


@contextlib.contextmanager
def _connected(place: _Place, host: str) -> Iterator[socket.socket]:
    plain = socket.create_connection((place.address, place.port), SECONDS)
    if not _leads_to_this_machine(plain):
        plain.close()
        raise AgentError(
            f"scim_probe: {place.address} is not this machine, and no token is sent elsewhere",
            "scim_probe says where the server's own web server listens",
        )
    # A time limit of a socket is one for each read: a server that drips would hold us for ever.
    with socket.socket(fileno=os.dup(plain.fileno())) as second:
        watchdog = threading.Timer(SECONDS, _shut, [second])
        watchdog.daemon = True
        watchdog.start()
        try:
            with plain if not place.tls else _tls(plain, host) as connected:
                yield connected
        finally:
            watchdog.cancel()
            watchdog.join()


def _leads_to_this_machine(connected: socket.socket) -> bool:
    """Whether both ends are here: else an inventory could send the tokens to whom it likes."""
    peer, own = connected.getpeername()[0], connected.getsockname()[0]
    return bool(peer == own or ipaddress.ip_address(peer).is_loopback)


def _shut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _tls(plain: socket.socket, host: str) -> ssl.SSLSocket:
    import ssl

    # Our own machine: nobody is between, and its certificate may be a snake-oil one that a
    # proxy in front of it hides. What the public sees is for `verify` to judge. No default
    # context: it reads all of the system's authorities, which takes 20 ms.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=urlsplit(f"//{host}").hostname)
    except BaseException:
        plain.close()
        raise

"""Ask this server's own web server, as an identity provider would ask it.

Requests go to a local address, with the realm's host name as Host header and in TLS (SNI), so that
neither DNS nor a load balancer is involved. Redirects are not followed, and no proxy is used.
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
"""The time limit of one request, from connect to the last byte."""

_USUAL = ("https://127.0.0.1:443", "http://127.0.0.1:80")
_LIMIT = 64 * 1024
_LONGEST = 500
"""Characters of a Location that are kept."""


class _Place(NamedTuple):
    address: str
    port: int
    tls: bool


class Answer(NamedTuple):
    """The parts of an answer that are used."""

    status: Optional[int]
    """None: there was no answer."""
    location: str = ""
    """The Location header of a redirect."""


class WebServer:
    """The local web server. If `base` is None: https on 127.0.0.1:443, then http on 80."""

    def __init__(self, base: Optional[str]) -> None:
        """Raise AgentError if `base` is not an http or https URL."""
        self._places = tuple(_place(each) for each in ((base,) if base else _USUAL))

    def status(self, host: str, path: str, token: Optional[str] = None) -> Optional[int]:
        """Return the HTTP status of a GET; None: no answer."""
        return self.answer(host, path, token).status

    def answer(self, host: str, path: str, token: Optional[str] = None) -> Answer:
        """Return the answer to a GET."""
        import http.client  # takes 20 ms, and a plan that asks no web server does not need it

        for place in self._places:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                return _get(place, host, path, token)
        return Answer(None)

    def users(self, host: str, token: str) -> Optional[int]:
        """Return the HTTP status that a SCIM client with this token gets; None: no answer."""
        return self.status(host, _USERS, token)

    def login(self, host: str) -> Answer:
        """Ask for a realm's login page.

        Unlike a SCIM request, it causes no traceback and no mail to the administrators on a Zulip
        before 11.0 without SCIM_CONFIG.
        """
        return self.answer(host, _LOGIN)

    def site(self, host: str) -> Optional[int]:
        """Return the HTTP status of a page that needs no realm; None: no answer."""
        return self.status(host, ALIVE)

    def alive(self, host: str) -> bool:
        """Return whether Zulip answers, with anything but a server error."""
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
            f"scim_probe: {place.address} is not this server, and tokens are not sent elsewhere",
            "set scim_probe to the address on which the server's own web server listens",
        )
    # The timeout of a socket is per read, so a server that sends slowly would never time out.
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
    """Return whether both ends are on this machine. An inventory must not send tokens elsewhere."""
    peer, own = connected.getpeername()[0], connected.getsockname()[0]
    return bool(peer == own or ipaddress.ip_address(peer).is_loopback)


def _shut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _tls(plain: socket.socket, host: str) -> ssl.SSLSocket:
    import ssl

    # The connection does not leave this machine, and its certificate may be self-signed behind a
    # proxy. `verify` checks the public certificate. A default context is not used, because it
    # reads all of the system's authorities, which takes 20 ms.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=urlsplit(f"//{host}").hostname)
    except BaseException:
        plain.close()
        raise

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
from typing import TYPE_CHECKING, Callable, Iterator, List, NamedTuple, Optional, Sequence, TypeVar
from urllib.parse import urlsplit

from scimconf.agent.errors import AgentError

if TYPE_CHECKING:
    import ssl

Item = TypeVar("Item")
Found = TypeVar("Found")

ALIVE = "/api/v1/server_settings"
_USERS = "/scim/v2/Users?count=1"
_LOGIN = "/login/"
SECONDS = 15.0
"""The time limit of one request, from connect to the last byte."""

_USUAL = ("https://127.0.0.1:443", "http://127.0.0.1:80")
_MISDIRECTED = 421
_CONNECTIONS = 4
_MANY = 10
"""Items for each connection, before another one is opened."""
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
        self._shared: Optional[_Line] = None
        self._shares = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Send the requests of the `with` block on one connection, as far as the server allows it.

        The realms of a server share its web server, which chooses the realm by the Host header.
        """
        self._shares = True
        try:
            yield
        finally:
            self._shares = False
            self._hang_up()

    def _hang_up(self) -> None:
        if self._shared:
            self._shared.close()
            self._shared = None

    def status(self, host: str, path: str, token: Optional[str] = None) -> Optional[int]:
        """Return the HTTP status of a GET; None: no answer."""
        return self.answer(host, path, token).status

    def answer(self, host: str, path: str, token: Optional[str] = None) -> Answer:
        """Return the answer to a GET."""
        import http.client  # takes 20 ms, and a plan that asks no web server does not need it

        for place in self._places:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                return self._get(place, host, path, token)
        return Answer(None)

    def _get(self, place: _Place, host: str, path: str, token: Optional[str]) -> Answer:
        import http.client

        shared = self._shared
        if shared and shared.place == place:
            self._shared = None
            # The server may have closed it in the meantime, or want the host's own name in TLS.
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                answer = self._ask(shared, host, path, token)
                if answer.status != _MISDIRECTED:
                    return answer
            self._hang_up()
            if shared.is_late:
                return Answer(None)
        return self._ask(_Line(place, host, keep=self._shares), host, path, token)

    def _ask(self, line: _Line, host: str, path: str, token: Optional[str]) -> Answer:
        """Send a request, then keep the connection if it is shared."""
        try:
            answer = line.get(host, path, token)
        except BaseException:
            line.close()
            raise
        if self._shares and line.is_open:
            self._hang_up()
            self._shared = line
        else:
            line.close()
        return answer

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


def ask_each(
    base: Optional[str], ask: Callable[[WebServer, Item], Found], items: Sequence[Item]
) -> List[Found]:
    """Return what `ask` finds out about each item. Many items are asked on a few connections.

    Raises the first error of `ask`.
    """
    count = min(_CONNECTIONS, 1 + len(items) // _MANY)
    found: List[List[Found]] = [[] for _ in range(count)]
    errors: List[Exception] = []

    def part(number: int) -> None:
        server = WebServer(base)
        try:
            with server.shared():
                found[number] += [ask(server, item) for item in items[number::count]]
        except Exception as error:
            errors.append(error)

    others = [threading.Thread(target=part, args=(number,)) for number in range(1, count)]
    for thread in others:
        thread.start()
    part(0)
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]
    return [found[number % count][number // count] for number in range(len(items))]


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


class _Line:
    """A connection to the local web server. With `keep`, it stays open after an answer."""

    def __init__(self, place: _Place, host: str, keep: bool) -> None:
        """Connect. `host` is the name in TLS. Raises OSError; AgentError for another machine."""
        import http.client

        self.place = place
        self.is_late = False
        self._keep = keep
        self._connection = http.client.HTTPConnection(place.address, place.port)
        plain = socket.create_connection((place.address, place.port), SECONDS)
        if not _leads_to_this_machine(plain):
            plain.close()
            raise AgentError(
                f"scim_probe: {place.address} is not this server, and tokens are not sent "
                "elsewhere",
                "set scim_probe to the address on which the server's own web server listens",
            )
        self._plain = socket.socket(fileno=os.dup(plain.fileno()))
        self._connection.sock = plain
        if place.tls:
            try:
                with self._in_time():
                    self._connection.sock = _tls(plain, host)
            except BaseException:
                self._plain.close()
                raise

    @property
    def is_open(self) -> bool:
        """Whether the server keeps the connection open for another request."""
        return self._connection.sock is not None

    def get(self, host: str, path: str, token: Optional[str]) -> Answer:
        """Send a GET and return the answer. Raises OSError, HTTPException and ValueError."""
        connection = self._connection
        with self._in_time():
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            connection.putheader("User-Agent", "scimconf")
            if not self._keep:
                connection.putheader("Connection", "close")
            if token is not None:
                connection.putheader("Authorization", f"Bearer {token}")
            connection.endheaders()
            response = connection.getresponse()
            response.read(_LIMIT)
            if not response.isclosed():  # the rest is not read, so no other answer can follow
                connection.close()
                response.close()
            return Answer(response.status, (response.getheader("Location") or "")[:_LONGEST])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._plain.close()

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        """Shut the connection down if the `with` block takes longer than SECONDS.

        The timeout of a socket is per read, so a server that sends slowly would never time out.
        """
        watchdog = threading.Timer(SECONDS, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()

    def _give_up(self) -> None:
        self.is_late = True
        with contextlib.suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)


def _leads_to_this_machine(connected: socket.socket) -> bool:
    """Return whether both ends are on this machine. An inventory must not send tokens elsewhere."""
    peer, own = connected.getpeername()[0], connected.getsockname()[0]
    return bool(peer == own or ipaddress.ip_address(peer).is_loopback)


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

"""The TCP connection below an SSH connection."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Protocol

from scimconf.errors import Unreachable
from scimconf.ssh.route import Route

MOST_HANDSHAKE = 1 << 20
"""Bytes that a server may send before the command starts."""
_SOCKET_OPTIONS = (
    ("TCP_NODELAY", 1),
    # Notice after a minute that a server has disappeared.
    ("TCP_KEEPIDLE", 15),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),
)


class Stream(Protocol):
    """What paramiko needs of a socket, and a limit on the bytes that may arrive."""

    def allow(self, size: float, /) -> None:
        """Set the number of bytes that may still arrive."""

    def recv(self, size: int, /) -> bytes:
        """As socket.recv. Raises OSError if more bytes arrive than allowed."""

    def send(self, data: bytes, /) -> int:
        """As socket.send."""

    def settimeout(self, seconds: float | None, /) -> None:
        """As socket.settimeout."""

    def shutdown(self, how: int, /) -> None:
        """As socket.shutdown: a thread that waits in recv or send returns."""

    def close(self) -> None:
        """As socket.close."""


class Socket(socket.socket):
    """A socket that acknowledges at once and limits the bytes that it receives.

    Delayed acknowledgements cost 40 ms when both ends send small packets in turn. Linux returns to
    them after a while, so the option is set again after every read (tcp(7)).
    """

    _allowance: float = MOST_HANDSHAKE

    def allow(self, size: float, /) -> None:
        """See Stream."""
        self._allowance = size

    def recv(self, *arguments: int) -> bytes:
        """See Stream."""
        data = super().recv(*arguments)
        self._allowance -= len(data)
        if self._allowance < 0:
            raise too_much()
        if self.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK"):
            with suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def too_much() -> OSError:
    """Return the error for a server that sends more bytes than allowed."""
    return OSError(errno.EMSGSIZE, "it sends too much")  # paramiko reads the second argument


def connect(route: Route) -> Socket:
    """Open a TCP connection to the host of a route. Raises Unreachable."""
    where = f"{route.host} port {route.port}"
    try:
        plain = _connected(route)
    except socket.gaierror as error:
        raise Unreachable(
            "connect",
            f"cannot resolve the name {route.host}: {error.strerror}",
            f"set {route.sets_host}, or check the DNS settings of this machine",
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            "connect",
            f"{where} did not answer within {route.timeout:g} s",
            "check that the server is up, and that no firewall blocks the port",
        ) from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            "connect",
            f"{where} refused the connection",
            f"check that sshd runs on this port ({route.sets_port})",
        ) from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreachable("connect", f"cannot connect to {where}: {reason}") from error
    connection = Socket(fileno=plain.detach())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SOCKET_OPTIONS:
        if hasattr(socket, name):  # macOS lacks some of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if route.alive_interval and hasattr(socket, "TCP_USER_TIMEOUT"):
        patience = int(1000 * route.alive_interval * route.alive_count)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    return connection


def _connected(route: Route) -> socket.socket:
    """Connect to the first address of the host that answers."""
    source = (route.bind_address, 0) if route.bind_address else None
    if route.family == socket.AF_UNSPEC:
        return socket.create_connection((route.host, route.port), route.timeout, source)
    found = socket.getaddrinfo(route.host, route.port, route.family, socket.SOCK_STREAM)
    return socket.create_connection((str(found[0][4][0]), route.port), route.timeout, source)

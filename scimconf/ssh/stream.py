"""The bytes under an SSH connection: a TCP connection of our own."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Protocol

from scimconf.errors import Unreachable
from scimconf.ssh.route import Route

MOST_HANDSHAKE = 1 << 20
"""Bytes that a server may send until the command starts."""
_SOCKET_OPTIONS = (
    ("TCP_NODELAY", 1),
    # A server that is gone without a word is noticed after a minute.
    ("TCP_KEEPIDLE", 15),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),
)


class Stream(Protocol):
    """What paramiko needs of a socket, and the bound on what may come."""

    allowance: float

    def recv(self, size: int, /) -> bytes:
        """As socket.recv. Raises OSError beyond the allowance."""

    def send(self, data: bytes, /) -> int:
        """As socket.send."""

    def settimeout(self, seconds: float | None, /) -> None:
        """As socket.settimeout."""

    def shutdown(self, how: int, /) -> None:
        """As socket.shutdown: whoever waits in recv or send comes back."""

    def close(self) -> None:
        """As socket.close."""


class Socket(socket.socket):
    """A socket that acknowledges at once, and takes no more than it is allowed to.

    Delayed acknowledgements cost 40 ms where both ends send small packets in turn; Linux falls
    back to them after a while, so the option is set again after every read (tcp(7)).
    """

    allowance: float = MOST_HANDSHAKE
    """Bytes that may still come."""

    def recv(self, *arguments: int) -> bytes:
        """As socket.recv. Raises OSError beyond the allowance."""
        data = super().recv(*arguments)
        self.allowance -= len(data)
        if self.allowance < 0:
            raise too_much()
        if self.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK"):
            with suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def too_much() -> OSError:
    """Give the error of a server that sends more than its allowance."""
    return OSError(errno.EMSGSIZE, "it sends too much")  # paramiko looks at the second argument


def connect(route: Route) -> Socket:
    """Give a TCP connection to the route's host. Raises Unreachable."""
    where = f"{route.host} port {route.port}"
    try:
        plain = _connected(route)
    except socket.gaierror as error:
        raise Unreachable(
            "connect",
            f"the name {route.host} is not known ({error.strerror})",
            "set ansible_host, or check the name servers of this machine",
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            "connect",
            f"{where} did not answer within {route.timeout:g} s",
            "is it up, and does a firewall stand between?",
        ) from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            "connect",
            f"{where} refuses connections",
            "does sshd run there, on this port (ansible_port)?",
        ) from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreachable("connect", f"cannot connect to {where}: {reason}") from error
    connection = Socket(fileno=plain.detach())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SOCKET_OPTIONS:
        if hasattr(socket, name):  # not every system has all of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if route.alive_interval and hasattr(socket, "TCP_USER_TIMEOUT"):
        patience = int(1000 * route.alive_interval * route.alive_count)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    return connection


def _connected(route: Route) -> socket.socket:
    """Connect to the first of the host's addresses that answers."""
    source = (route.bind_address, 0) if route.bind_address else None
    if route.family == socket.AF_UNSPEC:
        return socket.create_connection((route.host, route.port), route.timeout, source)
    found = socket.getaddrinfo(route.host, route.port, route.family, socket.SOCK_STREAM)
    return socket.create_connection((str(found[0][4][0]), route.port), route.timeout, source)

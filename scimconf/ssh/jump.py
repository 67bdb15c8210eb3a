"""Jump hosts: connections through the connection to another host.

All servers behind one jump host share one connection to it while any of them is in use. sshd drops
many connections at the same time (MaxStartups), and a handshake costs more than a channel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import paramiko  # type: ignore[import-untyped]

from scimconf.errors import HostError, Unreachable
from scimconf.sanitize import one_line
from scimconf.ssh.options import Options
from scimconf.ssh.route import Route
from scimconf.ssh.stream import MOST_HANDSHAKE, too_much
from scimconf.ssh.transport import Transport

_GONE = (OSError, EOFError, paramiko.SSHException)


class Tunnel:
    """A channel to a server behind a jump host, as a Stream."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._allowance: float = MOST_HANDSHAKE
        self._channel = channel
        self._is_shut = threading.Event()
        self.settimeout = channel.settimeout

    def allow(self, size: float, /) -> None:
        """See Stream."""
        self._allowance = size

    def recv(self, size: int, /) -> bytes:
        """See Stream. paramiko calls it every 0.1 s, so it notices a shutdown."""
        if self._is_shut.is_set():
            return b""
        data: bytes = self._channel.recv(size)
        self._allowance -= len(data)
        if self._allowance < 0:
            raise too_much()
        return data

    def send(self, data: bytes, /) -> int:
        """See Stream."""
        if self._is_shut.is_set():
            raise EOFError
        sent: int = self._channel.send(data)
        return sent

    def shutdown(self, _how: int, /) -> None:
        """See Stream. Nothing is sent, because the jump host may hang."""
        self._is_shut.set()

    def close(self) -> None:
        """See Stream."""
        self._is_shut.set()
        with suppress(*_GONE):
            self._channel.close()


@contextmanager
def tunnel(jump: Transport, through: Route, route: Route) -> Iterator[Tunnel]:
    """Make a jump host connect to a server. Raises Unreachable."""
    try:
        channel = jump.open_channel(
            "direct-tcpip", (route.host, route.port), ("127.0.0.1", 0), timeout=route.timeout
        )
    except paramiko.ChannelException as error:
        raise _not_forwarded(through, route, error) from error
    except _GONE as error:
        raise Unreachable(
            "connect",
            f"the jump host {through.shown} did not connect to {route.host} port {route.port} "
            f"within {route.timeout:g} s",
            "check that the server is up, and that the jump host can reach it",
        ) from error
    stream = Tunnel(channel)
    try:
        yield stream
    finally:
        stream.close()


def _not_forwarded(through: Route, route: Route, error: paramiko.ChannelException) -> Unreachable:
    message = f"the jump host {through.shown} cannot connect to {route.host} port {route.port}"
    if error.code == 1:  # RFC 4254, 5.1: administratively prohibited
        return Unreachable(
            "connect",
            f"{message}: it does not allow forwarding",
            "allow it on the jump host: AllowTcpForwarding and PermitOpen in sshd_config, and the "
            "options in authorized_keys",
        )
    return Unreachable(
        "connect",
        f"{message}: {one_line(error.text, 150)}",
        "check that the server is up, and that the jump host can resolve its name",
    )


@dataclass(slots=True, eq=False)
class _Shared:
    ready: Future[Transport] = field(default_factory=Future)
    ending: ExitStack = field(default_factory=ExitStack)
    users: int = 0


_shared: dict[tuple[Route, Options], _Shared] = {}
_lock = threading.Lock()


@contextmanager
def shared(
    route: Route, options: Options, enter: Callable[[], AbstractContextManager[Transport]]
) -> Iterator[Transport]:
    """Return the connection to a jump host. The first user opens it, the last user closes it.

    If the shared connection fails, every waiter gets the same error; so a wrong password is tried
    only once. Raises Unreachable, as `enter` does.
    """
    key = (route, options)
    with _lock:
        connection = _shared.get(key)
        is_first = connection is None or _is_closed(connection)
        if connection is None or is_first:
            connection = _shared[key] = _Shared()
        connection.users += 1
    try:
        if is_first:
            _open(connection, enter)
        yield _result(connection.ready, route)
    finally:
        with _lock:
            connection.users -= 1
            is_last = connection.users == 0
            if is_last and _shared.get(key) is connection:
                del _shared[key]
        if is_last:
            connection.ending.close()


def _is_closed(connection: _Shared) -> bool:
    ready = connection.ready
    return ready.done() and (ready.exception() is not None or not ready.result().is_active())


def _open(connection: _Shared, enter: Callable[[], AbstractContextManager[Transport]]) -> None:
    try:
        transport = connection.ending.enter_context(enter())
        transport.sock.allow(float("inf"))  # each channel has its own limit
        connection.ready.set_result(transport)
    except BaseException as error:
        connection.ready.set_exception(error)


def _result(ready: Future[Transport], route: Route) -> Transport:
    try:
        return ready.result()
    except HostError as error:  # a new error for each thread, since raising changes it
        raise Unreachable(
            error.step, f"at the jump host {route.shown}: {error.message}", error.hint
        ) from None

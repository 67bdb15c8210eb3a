"""Jump hosts: a connection through the connection to another host.

Forty servers behind one bastion share one connection to it, as long as one of them is in use: a
bastion drops who comes all at once (sshd's MaxStartups), and a handshake costs more than a channel.
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
    """A channel to a server behind a jump host, with the manners of a socket."""

    allowance: float = MOST_HANDSHAKE

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._cut = threading.Event()
        self.settimeout = channel.settimeout

    def recv(self, size: int, /) -> bytes:
        """See Stream. paramiko comes back to it every 0.1 s, so a cut is noticed."""
        if self._cut.is_set():
            return b""
        data: bytes = self._channel.recv(size)
        self.allowance -= len(data)
        if self.allowance < 0:
            raise too_much()
        return data

    def send(self, data: bytes, /) -> int:
        """See Stream."""
        if self._cut.is_set():
            raise EOFError
        sent: int = self._channel.send(data)
        return sent

    def shutdown(self, _how: int, /) -> None:
        """See Stream. Nothing is sent: the jump host may be the one that hangs."""
        self._cut.set()

    def close(self) -> None:
        """See Stream."""
        self._cut.set()
        with suppress(*_GONE):
            self._channel.close()


@contextmanager
def tunnel(jump: Transport, through: Route, route: Route) -> Iterator[Tunnel]:
    """Have a jump host connect to a server. Raises Unreachable."""
    try:
        channel = jump.open_channel(
            "direct-tcpip", (route.host, route.port), ("127.0.0.1", 0), timeout=route.timeout
        )
    except paramiko.ChannelException as error:
        raise _not_passed_on(through, route, error) from error
    except _GONE as error:
        raise Unreachable(
            "connect",
            f"the jump host {through.name} did not connect to {route.host} port {route.port} "
            f"within {route.timeout:g} s",
            "is the server up, and may the jump host reach it?",
        ) from error
    stream = Tunnel(channel)
    try:
        yield stream
    finally:
        stream.close()


def _not_passed_on(through: Route, route: Route, error: paramiko.ChannelException) -> Unreachable:
    message = f"the jump host {through.name} does not connect to {route.host} port {route.port}"
    if error.code == 1:  # RFC 4254, 5.1: administratively prohibited
        return Unreachable(
            "connect",
            f"{message}: it forwards nothing",
            "its sshd_config has to allow it (AllowTcpForwarding, PermitOpen), and so has the key "
            "in authorized_keys",
        )
    return Unreachable(
        "connect",
        f"{message}: {one_line(error.text, 150)}",
        "is the server up, and does the jump host know it under this name?",
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
    """Give the connection to a jump host, which the first one makes and the last one closes.

    Who waits for a connection that fails, fails with it: a password is not tried once for each.
    Raises Unreachable, as `enter` does.
    """
    key = (route, options)
    with _lock:
        one = _shared.get(key)
        is_first = one is None or _is_over(one)
        if one is None or is_first:
            one = _shared[key] = _Shared()
        one.users += 1
    try:
        if is_first:
            _settle(one, enter)
        yield _result(one.ready, route)
    finally:
        with _lock:
            one.users -= 1
            is_last = one.users == 0
            if is_last and _shared.get(key) is one:
                del _shared[key]
        if is_last:
            one.ending.close()


def _is_over(one: _Shared) -> bool:
    ready = one.ready
    return ready.done() and (ready.exception() is not None or not ready.result().is_active())


def _settle(one: _Shared, enter: Callable[[], AbstractContextManager[Transport]]) -> None:
    try:
        transport = one.ending.enter_context(enter())
        transport.sock.allowance = float("inf")  # each channel has its own bound
        one.ready.set_result(transport)
    except BaseException as error:
        one.ready.set_exception(error)


def _result(ready: Future[Transport], route: Route) -> Transport:
    try:
        return ready.result()
    except HostError as error:  # an error of its own for each: they are raised in many threads
        raise Unreachable(
            error.step, f"on the way, at the jump host {route.name}: {error.message}", error.hint
        ) from None

"""A command on a server, over SSH, as a Process."""

from __future__ import annotations

import select
from contextlib import ExitStack, suppress

import paramiko  # type: ignore[import-untyped]

from scimconf.errors import Unreachable
from scimconf.sanitize import one_line
from scimconf.ssh.entry import enter
from scimconf.ssh.options import Credentials, Options
from scimconf.ssh.process import Exchange
from scimconf.ssh.route import Route
from scimconf.ssh.transport import Transport, watch

_CHUNK = 1 << 20
_MOST_TURN = 1 << 24
_GONE = (OSError, EOFError, paramiko.SSHException)


def run(line: str, route: Route, credentials: Credentials, options: Options) -> SshProcess:
    """Connect, check the host key, log in and start a command. Raises Unreachable."""
    with ExitStack() as stack:
        transport = stack.enter_context(enter(route, credentials, options))
        with watch(transport.sock, route.timeout):
            channel = _start(transport, route, line)
        return SshProcess(transport, channel, stack.pop_all())


def _start(transport: Transport, route: Route, line: str) -> paramiko.Channel:
    try:
        channel = transport.open_session()
    except _GONE as error:
        raise Unreachable(
            "connect",
            f"{route.user} is logged in, but the server opens no session"
            f"{_reason(getattr(error, 'text', '') or str(error))}",
            "check MaxSessions in sshd_config, and whether the key allows port forwarding only",
        ) from error
    try:
        channel.exec_command(line)
    except _GONE as error:
        raise Unreachable(
            "connect",
            f"{route.user} is logged in, but the server runs no command{_reason(str(error))}",
            "check whether the account is restricted (a restricted key, ForceCommand, nologin)",
        ) from error
    return channel


def _reason(text: str) -> str:
    reason = one_line(text, 150)
    return f": {reason}" if reason else ""


class SshProcess:
    """A command on a channel. It has the connection for itself."""

    def __init__(self, transport: Transport, channel: paramiko.Channel, ending: ExitStack) -> None:
        self._transport = transport
        self._ending = ending
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def exchange(self, outgoing: bytes, seconds: float) -> Exchange:
        """See Process."""
        channel = self._channel
        self._transport.sock.allow(_MOST_TURN)
        sent = 0
        if outgoing and channel.send_ready():
            # If the channel is closed, its messages or its exit status tell why. `watch`: a server
            # that reads nothing would block the call.
            with suppress(*_GONE), watch(self._transport.sock, seconds):
                sent = channel.send(outgoing)
        if not sent:
            # No event tells that the server can take more: look again soon.
            self._poll.poll(1000 * (min(seconds, 0.05) if outgoing else seconds))
        ended = bool(channel.closed or channel.eof_received)
        out = channel.recv(_CHUNK) if channel.recv_ready() else b""
        err = channel.recv_stderr(_CHUNK) if channel.recv_stderr_ready() else b""
        return Exchange(sent, out, err, ended and not out and not err)

    @property
    def address(self) -> str | None:
        """The IP address of the server; None behind a jump host or a ProxyCommand."""
        try:
            address = self._transport.sock.getpeername()
        except (AttributeError, OSError):
            return None
        return str(address[0]) if isinstance(address, tuple) else None

    def exit_status(self) -> int | None:
        """See Process."""
        if not self._channel.status_event.wait(2) or not self._transport.is_active():
            return None
        status: int = self._channel.recv_exit_status()
        return status

    def close(self, *, at_work: bool) -> None:
        """See Process. In both cases the agent sees only the end of its stdin."""
        with suppress(*_GONE), watch(self._transport.sock, 2):
            self._channel.close()
        self._ending.close()

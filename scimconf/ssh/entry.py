"""The whole way in: the bytes, the handshake, the host key, the login, at each host on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from scimconf.ssh import jump, proxy, stream
from scimconf.ssh.login import CutOffError, Login
from scimconf.ssh.options import Credentials, Options
from scimconf.ssh.route import Route
from scimconf.ssh.stream import Stream
from scimconf.ssh.transport import Transport, hang_up, shake_hands, watch

_SECONDS_OF_A_PERSON = 180.0


@contextmanager
def enter(route: Route, credentials: Credentials, options: Options) -> Iterator[Transport]:
    """Connect, check the server's key and log in; hang up at the end. Raises Unreachable."""
    if options.known_hosts is not None:
        route = replace(route, known_hosts=options.known_hosts)
    login = Login(route, credentials)
    seconds = _SECONDS_OF_A_PERSON if credentials.ask else 2 * route.timeout
    while True:
        with _way(route, credentials, options) as connection:
            transport = shake_hands(connection, route, options)
            try:
                # From here on the server is known, and may see secrets.
                if _logged_in(login, transport, seconds):
                    if route.alive_interval:
                        transport.set_keepalive(route.alive_interval)
                    yield transport
                    return
            finally:
                hang_up(transport)


def _logged_in(login: Login, transport: Transport, seconds: float) -> bool:
    """Log in; False where it takes another connection to go on."""
    transport.auth_timeout = seconds
    try:
        with watch(transport.sock, seconds):
            login.run(transport)
    except CutOffError:
        return False
    return True


@contextmanager
def _way(route: Route, credentials: Credentials, options: Options) -> Iterator[Stream]:
    """Give the bytes to and from a server, straight or around."""
    if route.jump:
        # What is known of the server (its passwords) is no business of the hosts on the way.
        its_own = Credentials(passphrase=credentials.passphrase, ask=credentials.ask)
        hop = route.jump
        with (
            jump.shared(hop, options, lambda: enter(hop, its_own, options)) as transport,
            jump.tunnel(transport, hop, route) as tunnel,
        ):
            yield tunnel
    elif route.proxy_command:
        with proxy.through(route.proxy_command) as connection:
            yield connection
    else:
        with stream.connect(route) as connection:
            yield connection

"""Connect to a server: the connection, the handshake, the host key and the login, for each host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from scimconf.ssh import jump, proxy, stream
from scimconf.ssh.login import CutOffError, Login
from scimconf.ssh.options import Credentials, Options
from scimconf.ssh.route import Route
from scimconf.ssh.stream import Stream
from scimconf.ssh.transport import Transport, disconnect, shake_hands, watch

_SECONDS_FOR_A_PERSON = 180.0


@contextmanager
def enter(route: Route, credentials: Credentials, options: Options) -> Iterator[Transport]:
    """Connect, check the host key and log in; disconnect at the end. Raises Unreachable."""
    if options.known_hosts is not None:
        route = replace(route, known_hosts=options.known_hosts)
    login = Login(route, credentials)
    seconds = _SECONDS_FOR_A_PERSON if credentials.ask else 2 * route.timeout
    while True:
        with _connection(route, credentials, options) as connection:
            transport = shake_hands(connection, route, options)
            try:
                # The host key has been checked: from here on, secrets may be sent.
                if _logged_in(login, transport, seconds):
                    if route.alive_interval:
                        transport.set_keepalive(route.alive_interval)
                    yield transport
                    return
            finally:
                disconnect(transport)


def _logged_in(login: Login, transport: Transport, seconds: float) -> bool:
    """Log in. Return False if the next key needs a new connection."""
    transport.auth_timeout = seconds
    try:
        with watch(transport.sock, seconds):
            login.run(transport)
    except CutOffError:
        return False
    return True


@contextmanager
def _connection(route: Route, credentials: Credentials, options: Options) -> Iterator[Stream]:
    """Open the connection: directly, through a jump host, or through a ProxyCommand."""
    if route.jump:
        # A jump host must not see the passwords of the server.
        without_passwords = Credentials(passphrase=credentials.passphrase, ask=credentials.ask)
        hop = route.jump
        with (
            jump.shared(hop, options, lambda: enter(hop, without_passwords, options)) as transport,
            jump.tunnel(transport, hop, route) as tunnel,
        ):
            yield tunnel
    elif route.proxy_command:
        with proxy.through(route.proxy_command) as connection:
            yield connection
    else:
        with stream.connect(route) as connection:
            yield connection

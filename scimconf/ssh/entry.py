"""The whole way in: the bytes, the handshake, the host key, the login, at each host on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from scimconf.ssh import jump, proxy, stream
from scimconf.ssh.login import Login
from scimconf.ssh.options import Credentials, Options
from scimconf.ssh.route import Route
from scimconf.ssh.stream import Stream
from scimconf.ssh.transport import Transport, hang_up, shake_hands, watch


@contextmanager
def enter(route: Route, credentials: Credentials, options: Options) -> Iterator[Transport]:
    """Connect, check the server's key and log in; hang up at the end. Raises Unreachable."""
    if options.known_hosts is not None:
        route = replace(route, known_hosts=options.known_hosts)
    with _way(route, credentials, options) as connection:
        transport = shake_hands(connection, route, options)
        try:
            # From here on the server is known, and may see secrets.
            with watch(connection, 2 * route.timeout):
                Login(transport, route).run(credentials)
            if route.alive_interval:
                transport.set_keepalive(route.alive_interval)
            yield transport
        finally:
            hang_up(transport)


@contextmanager
def _way(route: Route, credentials: Credentials, options: Options) -> Iterator[Stream]:
    """Give the bytes to and from a server, straight or around."""
    if route.jump:
        # What is known of the server (its passwords) is no business of the hosts on the way.
        keys_only = Credentials(passphrase=credentials.passphrase)
        hop = route.jump
        with (
            jump.shared(hop, options, lambda: enter(hop, keys_only, options)) as transport,
            jump.tunnel(transport, hop, route) as tunnel,
        ):
            yield tunnel
    elif route.proxy_command:
        with proxy.through(route.proxy_command) as connection:
            yield connection
    else:
        with stream.connect(route) as connection:
            yield connection

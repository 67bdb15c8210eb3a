"""An SSH connection up to the check of the host key.

This module works around paramiko:

- It sometimes waits for ever, and it never limits what a server sends. `watch` limits the time, and
  Stream limits the bytes.
- Its Transport is a thread, and `close` does not wait for it. After a failed handshake, a timer
  thread stays for 15 s. `disconnect` ends both.
- Its log has no handler, so Python would print it.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import paramiko  # type: ignore[import-untyped]
from paramiko.auth_handler import AuthHandler  # type: ignore[import-untyped]
from paramiko.kex_curve25519 import KexCurve25519  # type: ignore[import-untyped]
from paramiko.kex_gex import KexGexSHA256  # type: ignore[import-untyped]

from scimconf.errors import Unreachable
from scimconf.files import RefusedFileError
from scimconf.sanitize import one_line
from scimconf.ssh import host_key, known_hosts
from scimconf.ssh.algorithms import SIGNATURES, Algorithms
from scimconf.ssh.host_key import ShownKey
from scimconf.ssh.known_hosts import KnownKey
from scimconf.ssh.options import Options
from scimconf.ssh.route import Route
from scimconf.ssh.stream import Stream

logging.getLogger("paramiko").addHandler(logging.NullHandler())

# A word of paramiko's message -> the kind of algorithm, and its name in SecurityOptions.
_KINDS = {
    "kex": ("key exchange method", "kex"),
    "host key": ("host key type", "key_types"),
    "ciphers": ("cipher", "ciphers"),
    "macs": ("MAC", "digests"),
}
_OFFERED = {
    "kex": "kex_algo_list",
    "key_types": "server_key_algo_list",
    "ciphers": "server_encrypt_algo_list",
    "digests": "server_mac_algo_list",
}


class _GroupExchange(KexGexSHA256):  # type: ignore[misc]  # paramiko has no types
    """Refuse a group of less than 2048 bits. paramiko requests 2048, but accepts 1024."""

    def _parse_kexdh_gex_group(self, m: paramiko.Message) -> None:
        bits = m.get_mpint().bit_length()
        if bits < self.min_bits:
            raise paramiko.SSHException(
                f"it offers a group of {bits} bits, and {self.min_bits} are required"
            )
        m.rewind()
        super()._parse_kexdh_gex_group(m)


class _KeyLogin(AuthHandler):  # type: ignore[misc]  # paramiko has no types
    """Send the login together with the request for the login service, in one round trip.

    paramiko waits for the answer to the service request. No answer can change the login: the key
    exchange has proved the host key, and a server that refuses the service closes the connection.
    Only the login with an RSA key waits: before the answer, the server lists the signatures that it
    accepts (RFC 8308).
    """

    def _request_auth(self) -> None:
        kind, _ = self._get_key_type_and_bits(self.private_key)
        self._waits = "rsa" in kind  # before the request, because the answer comes in a thread
        super()._request_auth()
        if not self._waits:
            accepted = paramiko.Message()
            accepted.add_string("ssh-userauth")
            accepted.rewind()
            super()._parse_service_accept(accepted)

    def _parse_service_accept(self, m: paramiko.Message) -> None:
        if self._waits:
            super()._parse_service_accept(m)


def _among(names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in known)


class Transport(paramiko.Transport):  # type: ignore[misc]  # paramiko has no types
    """paramiko's Transport, with curve25519 under its standard name. It stores what is offered."""

    # RFC 8731: the same method as with @libssh.org, a name that some servers do not have.
    _kex_info: ClassVar = {**paramiko.Transport._kex_info, "curve25519-sha256": KexCurve25519}
    _kex_info["diffie-hellman-group-exchange-sha256"] = _GroupExchange

    def __init__(self, connection: Stream) -> None:
        super().__init__(connection)
        self.offered: dict[str, list[str]] = {}
        """The server's algorithms by kind, named as in SecurityOptions."""

    def use(self, algorithms: Algorithms, host_keys: Iterable[str]) -> None:
        """Offer only these algorithms, and the host keys in the order of `host_keys`.

        Algorithms that this version of paramiko or cryptography lacks are left out.
        """
        self._preferred_ciphers = _among(algorithms.ciphers, self._cipher_info)
        self._preferred_macs = _among(algorithms.macs, self._mac_info)
        self._preferred_kex = _among(algorithms.kex, self._kex_info)
        wanted = [name for name in host_keys if name in algorithms.host_keys]
        self._preferred_keys = _among(wanted, self._key_info)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms, as set by `use`. paramiko would add certificates at the end of
        the list, so no server would send one.
        """
        return tuple(self._preferred_keys)

    def auth_publickey(self, username: str, key: paramiko.PKey) -> list[str]:
        """Log in with a key, as paramiko does, in one round trip."""
        answered = threading.Event()
        self.auth_handler = _KeyLogin(self)
        self.auth_handler.auth_publickey(username, key, answered)
        further_methods: list[str] = self.auth_handler.wait_for_response(answered)
        return further_methods

    def _really_parse_kex_init(self, *arguments: Any, **options: Any) -> dict[str, list[str]]:
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(*arguments, **options)
        self.offered = {kind: list(parsed[name]) for kind, name in _OFFERED.items()}
        return parsed


@contextmanager
def watch(connection: Stream, seconds: float) -> Iterator[threading.Event]:
    """Shut the connection down if the block takes longer; the event is set then."""
    late = threading.Event()

    def shut_down() -> None:
        late.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


class NoHandshakeError(Unreachable):
    """The other end closed the connection, or stayed silent, before it sent an SSH greeting."""

    def __init__(self, message: str, hint: str, seconds: float | None = None) -> None:
        super().__init__("connect", message, hint)
        self.seconds = seconds
        """How long the other end stayed silent; None if it closed the connection."""


def shake_hands(connection: Stream, route: Route, options: Options) -> Transport:
    """Do the SSH handshake and check the host key. Raises Unreachable."""
    transport = Transport(connection)
    try:
        lines = _known(route, route.name)
        # As in OpenSSH, a key that is known without a port is valid on every port.
        others = [] if lines else _known(route, route.principal)
        transport.use(route.algorithms, host_key.preferred([*lines, *others], SIGNATURES))
        # A little longer than our own limit below, because its message says more.
        transport.banner_timeout = transport.auth_timeout = route.timeout + 1
        with watch(connection, route.timeout) as late:
            try:
                transport.start_client()
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise _failed(route, transport, error, late=late.is_set()) from error
        key = transport.get_remote_server_key()
        blob = key.asbytes()
        certificate = key.public_blob.key_blob if key.public_blob else None
        lines += [line for line in others if line.marker or line.blob == blob]
        host_key.check(route, options, lines, ShownKey(key.get_name(), blob, certificate))
    except BaseException:
        disconnect(transport)
        raise
    return transport


def _known(route: Route, name: str) -> list[KnownKey]:
    try:
        return known_hosts.search(route.known_hosts, name)
    except RefusedFileError as error:
        raise Unreachable(
            "connect",
            f"cannot read the known_hosts file {error.filename}: {error.strerror}",
            "name a regular file with --known-hosts, or as UserKnownHostsFile in your ssh_config",
        ) from error


def disconnect(transport: Transport) -> None:
    """Close a connection and wait until its threads have ended."""
    with suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.packetizer.complete_handshake()
    if transport.is_alive():
        transport.join(5)
    transport.close()
    transport.sock.close()


def _failed(route: Route, transport: Transport, error: Exception, *, late: bool) -> Unreachable:
    where = f"{route.host} port {route.port}"
    if late:
        return NoHandshakeError(
            f"{where} accepts connections, but SSH did not start within {route.timeout:g} s",
            "check that it is an SSH server, and that it is not overloaded",
            route.timeout,
        )
    if isinstance(error, paramiko.IncompatiblePeer):
        return _nothing_in_common(where, transport, str(error))
    if not transport.remote_version:
        return NoHandshakeError(
            f"{where} closed the connection before SSH started, or is not an SSH server",
            f"check the port ({route.sets_port}); a busy sshd also drops connections (MaxStartups)",
        )
    return Unreachable(
        "connect",
        f"the SSH handshake with {where} failed: "
        + (one_line(str(error), 150) or "it closed the connection"),
    )


def _nothing_in_common(where: str, transport: Transport, text: str) -> Unreachable:
    kind, field = next(
        (known for word, known in _KINDS.items() if word in text), ("protocol version", "")
    )
    ours = getattr(transport.get_security_options(), field, ())
    theirs = ", ".join(transport.offered.get(field, []))
    return Unreachable(
        "connect",
        f"{where} and scimconf have no {kind} in common; the server offers: "
        + (one_line(theirs, 200) or one_line(transport.remote_version, 80)),
        f"in its sshd_config, allow one of: {', '.join(ours)}" if ours else "",
    )

"""An SSH connection up to the point where the server is known: handshake, host key.

paramiko's quirks of this stage are dealt with here. It waits for ever in some places and bounds
what it takes from a server in none: `watch` and the Stream's allowance see to both. Its Transport
is a thread, closing it does not wait for that thread's end, and a handshake that fails leaves a
timer thread behind for 15 s: `hang_up` ends both. Its log has no handler, so that Python would
print it.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import paramiko  # type: ignore[import-untyped]
from paramiko.kex_curve25519 import KexCurve25519  # type: ignore[import-untyped]
from paramiko.kex_gex import KexGexSHA256  # type: ignore[import-untyped]

from scimconf.errors import Unreachable
from scimconf.files import RefusedFileError
from scimconf.foreign import one_line
from scimconf.ssh import host_key, known_hosts
from scimconf.ssh.algorithms import SIGNATURES, Algorithms
from scimconf.ssh.host_key import ShownKey
from scimconf.ssh.known_hosts import KnownKey
from scimconf.ssh.options import Options
from scimconf.ssh.route import Route
from scimconf.ssh.stream import Stream

logging.getLogger("paramiko").addHandler(logging.NullHandler())

# A word of paramiko's complaint, what it is about, and what SecurityOptions calls it.
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
    """paramiko's takes 1024 bits from a server that it has asked for 2048."""

    def _parse_kexdh_gex_group(self, m: paramiko.Message) -> None:
        bits = m.get_mpint().bit_length()
        if bits < self.min_bits:
            raise paramiko.SSHException(
                f"it offers a group of {bits} bits, and {self.min_bits} are the least"
            )
        m.rewind()
        super()._parse_kexdh_gex_group(m)


def _among(names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in known)


class Transport(paramiko.Transport):  # type: ignore[misc]  # paramiko has no types
    """paramiko's, with curve25519 under its standard name, and a memory for what was offered."""

    # RFC 8731: the same method as the name with @libssh.org, which some servers do not have.
    _kex_info: ClassVar = {**paramiko.Transport._kex_info, "curve25519-sha256": KexCurve25519}
    _kex_info["diffie-hellman-group-exchange-sha256"] = _GroupExchange

    def __init__(self, connection: Stream) -> None:
        super().__init__(connection)
        self.offered: dict[str, list[str]] = {}
        """The server's algorithms by kind, named as in SecurityOptions."""

    def use(self, algorithms: Algorithms, host_keys: Iterable[str]) -> None:
        """Take part in these algorithms only; `host_keys` are in the order to ask for them.

        paramiko lacks one where the library below it is too old for it.
        """
        self._preferred_ciphers = _among(algorithms.ciphers, self._cipher_info)
        self._preferred_macs = _among(algorithms.macs, self._mac_info)
        self._preferred_kex = _among(algorithms.kex, self._kex_info)
        wanted = [name for name in host_keys if name in algorithms.host_keys]
        self._preferred_keys = _among(wanted, self._key_info)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """As they were set: paramiko adds the certificates itself, but last, so that it never
        gets one.
        """
        return tuple(self._preferred_keys)

    def _really_parse_kex_init(self, *arguments: Any, **options: Any) -> dict[str, list[str]]:
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(*arguments, **options)
        self.offered = {kind: list(parsed[name]) for kind, name in _OFFERED.items()}
        return parsed


@contextmanager
def watch(connection: Stream, seconds: float) -> Iterator[threading.Event]:
    """Cut the connection if what is done inside takes longer; the event tells that it was."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


def shake_hands(connection: Stream, route: Route, options: Options) -> Transport:
    """Make sure that at the other end of a connection is the server that we mean.

    Raises Unreachable, with the reason and what to do.
    """
    transport = Transport(connection)
    try:
        lines = _known(route, route.name)
        # As for OpenSSH, a key that is known without the port is good on another port too.
        others = [] if lines else _known(route, route.principal)
        transport.use(route.algorithms, host_key.preferred([*lines, *others], SIGNATURES))
        # A little longer than our own limit below, whose message says more.
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
        hang_up(transport)
        raise
    return transport


def _known(route: Route, name: str) -> list[KnownKey]:
    try:
        return known_hosts.search(route.known_hosts, name)
    except RefusedFileError as error:
        raise Unreachable(
            "connect",
            f"cannot read the known_hosts file {error.filename}: {error.strerror}",
            "name a regular file with --known-hosts, or as UserKnownHostsFile of your ssh_config",
        ) from error


def hang_up(transport: Transport) -> None:
    """Close a connection and wait until its threads are gone."""
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
        return Unreachable(
            "connect",
            f"{where} answers, but SSH was not there after {route.timeout:g} s",
            "is it an SSH server, and not overloaded?",
        )
    if isinstance(error, paramiko.IncompatiblePeer):
        return _nothing_in_common(where, transport, str(error))
    if not transport.remote_version:
        return Unreachable(
            "connect",
            f"{where} is no SSH server, or closed the connection: {one_line(str(error), 150)}",
            "is the port right (ansible_port)? A busy sshd drops connections too (MaxStartups)",
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
        f"{where} and scimconf have no {kind} in common; the server has: "
        + (one_line(theirs, 200) or one_line(transport.remote_version, 80)),
        f"let its sshd_config allow one of: {', '.join(ours)}" if ours else "",
    )

"""Servers that are not SSH servers, or lack what we need."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import paramiko  # type: ignore[import-untyped]
import pytest
from paramiko.auth_handler import AuthHandler  # type: ignore[import-untyped]

from scimconf.errors import HostError, Unreachable
from scimconf.ssh.session import Credentials, Options, open_agent
from scimconf.ssh.stream import Socket
from scimconf.ssh.transport import Transport
from tests.ssh.server import PATHS_HERE, make_key, special_server, wait_for
from tests.ssh.test_route import CONNECTION

pytestmark = pytest.mark.usefixtures("home")


@contextmanager
def answering(what: Callable[[socket.socket], None]) -> Iterator[int]:
    """Start a server on loopback that handles one connection; return its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                what(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def unreachable(port: int, host: str = "127.0.0.1", timeout: float = 10.0) -> Unreachable:
    threads = threading.active_count()
    connection = replace(CONNECTION, host=host, port=port, user="zulip", timeout=timeout)
    with (
        pytest.raises(Unreachable) as caught,
        open_agent(connection, PATHS_HERE, Credentials(), Options()),
    ):
        pass
    # paramiko would leave a timer thread, and the program would not end.
    wait_for(lambda: threading.active_count() <= threads)
    return caught.value


def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert f"127.0.0.1 port {port} refused the connection" in unreachable(port).message


def test_a_name_that_cannot_be_resolved() -> None:
    assert (
        "cannot resolve the name no-such-host.invalid"
        in unreachable(22, "no-such-host.invalid").message
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "closed the connection before SSH started"),
        (b"220 mail.example.com ESMTP\r\n" * 101, "is not an SSH server"),
        (b"x" * 3_000_000, "is not an SSH server"),
        (b"SSH-1.5-old\r\n", "SSH-1.5-old"),
        (b"SSH-2.0-\x1b[31mred\r\n", "handshake"),
        (b"SSH-2.0-x\r\n" + b"\xff" * 3_000_000, "handshake"),
    ],
)
def test_a_server_that_is_not_an_ssh_server(said: bytes, words: str) -> None:
    def say(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(said)

    with answering(say) as port:
        message = unreachable(port).message
    assert words in message
    assert message.isprintable()


def test_a_silent_server() -> None:
    def wait(connection: socket.socket) -> None:
        while connection.recv(1000):
            pass

    with answering(wait) as port:
        assert "SSH did not start within 0.3 s" in unreachable(port, timeout=0.3).message


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "key exchange method"),
        ("Ciphers chacha20-poly1305@openssh.com", "cipher"),
        ("MACs umac-64@openssh.com", "MAC"),
        ("KexAlgorithms diffie-hellman-group1-sha1", "key exchange method"),
        ("HostKeyAlgorithms ssh-rsa", "host key type"),
    ],
)
def test_no_common_algorithm(tmp_path: Path, line: str, kind: str) -> None:
    rsa = make_key(tmp_path / "rsa", "rsa-2048")
    with special_server(tmp_path, line, f"HostKey {rsa}") as server:
        error = unreachable(server.port)
    assert f"have no {kind} in common; the server offers: {line.split()[1]}" in error.message
    assert "aes128-ctr" in error.hint or kind != "cipher"


def test_curve25519_under_its_standard_name(tmp_path: Path) -> None:
    with special_server(tmp_path, "KexAlgorithms curve25519-sha256") as server:
        connection = server.connection()
        with open_agent(connection, PATHS_HERE, Credentials(), server.options) as agent:
            assert next(iter(agent.ask({"do": "who"})))["final"] is True


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("MaxSessions 0", "opens no session"),
        (
            "ForceCommand echo This account is closed",
            "exited with status 0: This account is closed",
        ),
    ],
)
def test_an_account_that_is_restricted(tmp_path: Path, line: str, message: str) -> None:
    with (
        special_server(tmp_path, line) as server,
        pytest.raises(HostError) as caught,
        open_agent(server.connection(), PATHS_HERE, Credentials(), server.options),
    ):
        pass
    assert message in caught.value.message


def test_a_socket_limits_what_it_receives() -> None:
    near, far = socket.socketpair()
    with far, Socket(fileno=near.detach()) as limited:
        limited.allow(5)
        far.sendall(b"12345678")
        assert limited.recv(5) == b"12345"
        with pytest.raises(OSError, match="too much"):
            limited.recv(5)


class _Doors(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko has no types
    """A server's end: it accepts every key."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)


@pytest.mark.parametrize(("kind", "waits"), [("ed25519", False), ("rsa-2048", True)])
def test_the_login_waits_for_the_service_only_with_an_rsa_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, waits: bool
) -> None:
    """The server announces the service only when the login request is there; a client that waits
    for the announcement fails.
    """
    seen: list[str] = []
    accept = AuthHandler._parse_service_request

    def service(handler: AuthHandler, message: paramiko.Message) -> None:
        seen.append("service")
        if waits:
            accept(handler, message)

    monkeypatch.setattr(AuthHandler, "_parse_service_request", service)
    host_key = paramiko.Ed25519Key.from_private_key_file(str(make_key(tmp_path / "host")))
    key = paramiko.PKey.from_path(make_key(tmp_path / "key", kind))
    near, far = socket.socketpair()
    server, client = paramiko.Transport(far), Transport(Socket(fileno=near.detach()))
    client.auth_timeout = 5
    try:
        server.add_server_key(host_key)
        server.start_server(threading.Event(), _Doors())
        client.start_client()
        assert client.auth_publickey("zulip", key) == []
    finally:
        client.close()
        server.close()
    assert seen == ["service"]

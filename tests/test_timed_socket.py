"""Whoever sends small parts without an end keeps no thread busy."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scimconf import timed_socket
from scimconf.fleet.verify import Hosts, verify
from scimconf.idp.base import IdpError
from scimconf.idp.https import Https
from scimconf.secret import Secret
from tests.factories import realm, server
from tests.lab.certificates import Authority


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a web server that says `100 Continue` until nobody reads it."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    (tmp_path / "own.pem").write_bytes(authority.issue(["localhost"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=flood, args=(listening.accept()[0],), daemon=True).start()

    def flood(plain: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as line:
            line.recv(9999)
            while True:
                line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    with listening:
        yield listening.getsockname()[1]


def _begun_by(ask: Callable[[], object]) -> list[threading.Thread]:
    before = {*threading.enumerate()}
    ask()
    return [each for each in threading.enumerate() if each not in before]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_socket, "SECONDS", 0.5)


def test_a_provider_that_never_ends_its_answer(port: int, tmp_path: Path) -> None:
    https = Https("it", f"localhost:{port}", str(tmp_path / "ca.pem"), 0.2, pause=lambda _: None)

    def ask() -> None:
        with suppress(IdpError):
            https.ask("GET", "/", bearer=Secret("a-credential"))

    for thread in _begun_by(ask):
        thread.join(10)
        assert not thread.is_alive()


def test_a_public_url_that_never_ends_its_answer(port: int, tmp_path: Path) -> None:
    one = realm(url=f"https://localhost:{port}")
    where = server(one, ca=str(tmp_path / "ca.pem"))
    token = Secret("gR7bQ2mXv9LkPz4TnW8s")

    def ask() -> None:
        (check,) = verify(where, one, token, Hosts("localhost", {}), timeout=0.2)
        assert check.result != "ok"

    for thread in _begun_by(ask):
        thread.join(10)
        assert not thread.is_alive()

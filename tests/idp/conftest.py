from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scimconf.idp.base import Target
from tests.lab.certificates import Authority
from tests.lab.idp import Mini

TARGET = Target("chat1", "acme", "https://acme.chat.example.com:1/scim/v2")


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A function that starts a miniature provider, whose names lead this process to it."""
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    ports: dict[str, int] = {}
    system = socket.getaddrinfo

    def resolve(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if host in ports:
            host, port = "127.0.0.1", ports[host]
        return system(host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with ExitStack() as stack:

        def started(kind: type[Mini], **options: Any) -> Mini:
            made = kind(ca, authority.issue(kind.names, **options), tmp_path)
            idp: Mini = stack.enter_context(made)
            ports.update(dict.fromkeys(kind.names, idp.port))
            return idp

        yield started

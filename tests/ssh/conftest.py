from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scimconf import ssh
from scimconf.ssh import program
from tests.ssh.server import RunningServer, Server

STUB = Path(__file__).with_name("stub_agent.py")


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("sshd"))
    yield running
    running.close()


@pytest.fixture
def server(_running: RunningServer) -> Server:
    """A real sshd."""
    return _running.server


@pytest.fixture
def accounts(server: Server) -> Server:
    """A real sshd with users and sudo rules of its own."""
    if not server.accounts:
        pytest.skip("needs root, for users and sudo rules of its own")
    return server


@pytest.fixture(autouse=True)
def _stub_agent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The far end is a stub, but where a test is marked `real_agent`."""
    if "real_agent" not in request.fixturenames:
        stub = program.framed([("main", STUB.read_text())])
        monkeypatch.setattr(ssh, "payload", lambda: stub)


@pytest.fixture
def real_agent() -> None:
    """The far end is scimconf's own agent."""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder of its own: no keys, no agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path

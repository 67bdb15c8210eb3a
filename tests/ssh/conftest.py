from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scimconf.ssh import program, session
from scimconf.ssh import ssh_config as ssh_config_module
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
    """A real sshd with its own users and sudo rules."""
    if not server.accounts:
        pytest.skip("needs root, for users and sudo rules of its own")
    return server


@pytest.fixture(autouse=True)
def _stub_agent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is a stub, unless the test uses the fixture `real_agent`."""
    if "real_agent" not in request.fixturenames:
        stub = program.framed([("main", STUB.read_text())])
        monkeypatch.setattr(session, "payload", lambda: stub)


@pytest.fixture(autouse=True)
def _new_run() -> None:
    """Forget the answers of `ssh -G`: each test is a separate run."""
    ssh_config_module._answer.cache_clear()
    ssh_config_module._first.clear()


@pytest.fixture
def real_agent() -> None:
    """The agent is scimconf's own."""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that the agent's user can write to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A new home folder, without keys and without an ssh agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture
def ssh_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that writes the user's ssh_config.

    ssh reads it from the home folder in /etc/passwd, not from HOME. So a program replaces ssh and
    passes the file with -F.
    """
    real = shutil.which("ssh")
    assert real is not None
    file = home / "ssh_config"
    file.touch()
    program = home / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {real} -F "{file}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    def write(text: str) -> Path:
        file.write_text(text)
        ssh_config_module._answer.cache_clear()
        ssh_config_module._first.clear()
        return file

    return write

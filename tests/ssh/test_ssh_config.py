"""Settings of ssh_config, with a real ssh and a real sshd."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.errors import HostError
from scimconf.model import Connection
from scimconf.ssh.route import find_route
from scimconf.ssh.session import Options, open_agent
from tests.factories import connection
from tests.ssh.server import PATHS_HERE, Server, make_key, special_server, wait_for
from tests.ssh.test_sshd import NOTHING, ask, failing

Write = Callable[[str], Path]


def named(server: Server, name: str = "chat1") -> Connection:
    """Return a connection for which the inventory has only a name."""
    return server.connection(host=name, port=None, private_key=None, user=None)


def block(server: Server) -> str:
    """Return the lines of ssh_config for the server."""
    return (
        f" HostName 127.0.0.1\n Port {server.port}\n IdentityFile {server.key}\n"
        f" UserKnownHostsFile {server.known_hosts} /nowhere\n"
    )


@pytest.mark.parametrize(
    "head",
    [
        "Host chat1",
        "Host chat? !chat2",
        "Host *.example.com chat*",
        "Match host chat1",
        "Match originalhost chat1 exec true",
        'Match exec "test %n = chat1"',
        "Match all",
    ],
)
def test_sections(server: Server, ssh_config: Write, head: str) -> None:
    ssh_config(f"Host chat2\n Port 1\n{head}\n{block(server)}")
    assert ask(named(server), Options())["final"] is True


def test_a_match_of_the_user(server: Server, ssh_config: Write) -> None:
    user = server.connection().user
    ssh_config(f"Match user {user}\n{block(server)}")
    assert ask(replace(named(server), user=user), Options())["final"] is True


@pytest.mark.parametrize(
    ("line", "user"),
    [
        (r"User CORP\alice", r"CORP\alice"),
        (r'User "CORP\alice"', r"CORP\alice"),
        (r"User CORP\\alice", r"CORP\alice"),
        ("User alice@corp.example", "alice@corp.example"),
        ("user first.last$", "first.last$"),
    ],
)
def test_login_names_as_ssh_reads_them(ssh_config: Write, line: str, user: str) -> None:
    ssh_config(f"Host chat1\n {line}\n ProxyJump {user}@bastion\n")
    route = find_route(connection(host="chat1", user=None))
    assert route.user == user
    assert route.jump
    assert route.jump.user == user


def test_include(server: Server, ssh_config: Write, tmp_path: Path) -> None:
    folder = tmp_path / "config.d"
    folder.mkdir()
    (folder / "fleet.conf").write_text(f"Host chat*\n{block(server)}")
    ssh_config(f"Include {folder}/*.conf\nHost chat1\n Port 1\n")
    assert ask(named(server), Options())["final"] is True


def test_host_key_alias(server: Server, ssh_config: Write, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"fleet {server.host_key}\n")
    ssh_config(f"HostKeyAlias fleet\nUserKnownHostsFile {known}\n{block(server)}")
    assert ask(named(server), Options())["final"] is True


def test_several_known_hosts_files(server: Server, ssh_config: Write, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "ecdsa-256")
    first = tmp_path / "first"
    name = f"[127.0.0.1]:{server.port}"
    first.write_text(f"{name} {other.with_suffix('.pub').read_text()}")
    ssh_config(f"UserKnownHostsFile {first} {server.known_hosts}\n{block(server)}")
    assert ask(named(server), Options())["final"] is True
    # --known-hosts replaces all of them.
    error = failing(named(server), Options(known_hosts=(str(first),)))
    assert "HAS CHANGED" in error.message


def test_a_key_that_is_known_without_its_port(server: Server, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"127.0.0.* {server.host_key}\n")
    assert ask(server.connection(), Options(known_hosts=(str(known),)))["final"] is True
    other = make_key(tmp_path / "other").with_suffix(".pub")
    known.write_text(f"127.0.0.1 {other.read_text()}")
    error = failing(server.connection(), Options(known_hosts=(str(known),)))
    assert "is not in known_hosts" in error.message


def test_a_longer_connect_timeout_is_used(ssh_config: Write, server: Server) -> None:
    ssh_config("ConnectTimeout 1\n")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        connection = server.connection(port=mute.getsockname()[1], timeout=0.1)
        assert "SSH did not start within 1 s" in failing(connection, server.options).message


def test_server_alive_interval(ssh_config: Write, tmp_path: Path) -> None:
    ssh_config("ServerAliveInterval 1\n")
    log = tmp_path / "sshd.log"
    with (
        special_server(tmp_path, "LogLevel DEBUG3") as server,
        open_agent(server.connection(), PATHS_HERE, NOTHING, server.options),
    ):
        wait_for(lambda: "keepalive@lag.net" in log.read_text(errors="replace"))


def test_bind_address_and_family(server: Server, ssh_config: Write) -> None:
    ssh_config(f"AddressFamily inet\nBindAddress 127.0.0.1\n{block(server)}")
    assert ask(named(server), Options())["final"] is True
    ssh_config(f"AddressFamily inet6\n{block(server)}")
    assert "127.0.0.1" in failing(named(server), Options()).message


class TestAsk:
    """How often the ssh program is called."""

    @pytest.fixture
    def calls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A stand-in for ssh, slow enough to be asked twice at once; it logs its arguments."""
        log = tmp_path / "calls"
        program = tmp_path / "bin" / "ssh"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\necho "$*" >> {log}\nsleep 0.05\nfor host; do :; done\n'
            'echo "hostname $host"\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return log

    def test_each_host_once_and_the_defaults_once(self, calls: Path) -> None:
        hosts = [f"Chat{number % 5}.example.com" for number in range(40)]

        def host(name: str) -> str:
            return find_route(connection(host=name, port=22, user="me")).host

        with ThreadPoolExecutor(10) as pool:
            assert list(pool.map(host, hosts)) == hosts
        asked = sorted(calls.read_text().splitlines())
        expected = [f"-v -G -p 22 -l me -- {name}" for name in set(hosts)]
        assert asked == sorted([*expected, "-v -G -F none -- localhost"])

    def test_another_port_or_user_is_another_question(self, calls: Path) -> None:
        for port, user in (22, "me"), (23, "me"), (23, "you"):
            find_route(connection(host="chat1", port=port, user=user))
        assert len(calls.read_text().splitlines()) == 4

    def test_an_error_is_not_remembered(self, ssh_config: Write) -> None:
        config = ssh_config("Port none\n")
        with pytest.raises(HostError, match="cannot read its configuration"):
            find_route(connection(host="chat1", port=None))
        config.write_text("Port 2222\n")
        assert find_route(connection(host="chat1", port=None)).port == 2222


def test_the_conversation_knows_the_facts_about_the_route(
    server: Server, ssh_config: Write
) -> None:
    ssh_config(f"Host chat1\n{block(server).replace('127.0.0.1', 'localhost')}AddressFamily inet\n")
    known = server.known_hosts.read_text().replace("127.0.0.1", "localhost")
    server.known_hosts.with_name("named").write_text(known)
    options = Options(known_hosts=(str(server.known_hosts.with_name("named")),))
    with open_agent(named(server), PATHS_HERE, NOTHING, options) as agent:
        facts = [(fact.what, fact.value) for fact in agent.reached]
    assert facts[:3] == [
        ("connects to", "localhost"),
        ("connects to", f"port {server.port}"),
        ("connects to", "127.0.0.1"),
    ]

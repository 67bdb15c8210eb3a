"""ssh_config as people have it: each setting through a real ssh and a real sshd."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.model import Connection
from scimconf.ssh import Options, open_agent
from scimconf.ssh import ssh_config as ssh_config_module
from scimconf.ssh.inference import Inference, Patterns
from scimconf.ssh.ssh_config import Question, Settings
from tests.ssh.server import PATHS_HERE, Server, make_key, special_server, wait_for
from tests.ssh.test_sshd import NOTHING, ask, failing

Write = Callable[[str], Path]


def named(server: Server, name: str = "chat1") -> Connection:
    """A server of which the inventory says no more than a name."""
    return server.connection(host=name, port=None, private_key=None, user=None)


def block(server: Server) -> str:
    """What an ssh_config has to say of it."""
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
    # --known-hosts takes the place of all of them.
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


def test_connect_timeout_makes_it_more_patient(ssh_config: Write, server: Server) -> None:
    ssh_config("ConnectTimeout 1\n")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        connection = server.connection(port=mute.getsockname()[1], timeout=0.1)
        assert "SSH was not there after 1 s" in failing(connection, server.options).message


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


class TestInference:
    """ssh is asked as seldom as may be, and what is inferred is what it would have said."""

    @staticmethod
    def answers(text: str, file: Path, hosts: Sequence[str]) -> int:
        """Check every host against ssh itself; give how often ssh was needed."""
        file.write_text(text)
        calls: list[str] = []

        def run(argv: Sequence[str], host: str) -> tuple[Settings, str]:
            calls.append(host)
            return ssh_config_module.run(argv, host)

        ssh = shutil.which("ssh")
        assert ssh is not None
        words = ("-F", str(file))
        inference = Inference(run)
        for host in hosts:
            question = Question(host, words=words)
            expected, _ = ssh_config_module.run([ssh, "-G", *question.argv], host)
            assert inference.ask(ssh, question) == expected
        return len(calls)

    HOSTS = tuple(f"chat{number}.example.com" for number in range(8))

    @pytest.mark.parametrize(
        ("text", "calls"),
        [
            ("", 2),
            ("User zulip\nProxyJump bastion\nControlPath ~/.ssh/%C\n", 2),
            ("Host *.example.com\n ProxyCommand nc %h %p\n", 2),
            ("Host chat3.*\n Port 22\nHost *\n User me\n", 3),
            ("Host chat[1-3].example.com !chat4*\n Port 22\n", 2),
            ("Host chat? chat?.example.com !chat2*\n HostKeyAlias one\n", 3),
            ("Host *\n HostName 10.0.0.1\n", 2),
            ("Host chat1* chat2*\n HostName chat1.example.com\n", 4),
            ("Match final all\n User me\nMatch all\n Port 23\n", 2),
            ("HostName %h.internal\n", 8),
            ("Match host chat1*\n Port 22\n", 8),
            ("Match exec true\n Port 22\n", 8),
            ("CanonicalizeHostname yes\nCanonicalDomains invalid\n", 8),
            ('Host "chat1.example.com" chat2.example.com # two\n Port=22\n', 4),
            ("host=chat1.example.com\nport=22\n", 3),
            ('"Host" chat5.example.com\n Port 23\n', 8),
            ('"Match" host chat5*\n Port 23\n', 8),
            ("Host x#y chat5.example.com\n Port 23\n", 8),
            ("Host x \f chat5.example.com\n Port 23\n", 8),
            ("Host 'chat5.example.com'\n Port 23\n", 8),
            ("Host x\\\\ chat5.example.com\n Port 23\n", 8),
        ],
    )
    def test_it_agrees_with_ssh(self, tmp_path: Path, text: str, calls: int) -> None:
        assert self.answers(text, tmp_path / "config", self.HOSTS) == calls

    def test_included_files_count(self, tmp_path: Path) -> None:
        included = tmp_path / "included"
        included.write_text("Host chat5*\n Port 23\n")
        text = f"Host nowhere\n Include {included}\n"
        assert self.answers(text, tmp_path / "config", self.HOSTS) == 3
        included.write_text("Match host chat5*\n Port 23\n")
        assert self.answers(text, tmp_path / "config", self.HOSTS) == 8

    def test_a_file_that_changes_is_read_again(self, tmp_path: Path) -> None:
        ssh = shutil.which("ssh")
        assert ssh is not None
        file = tmp_path / "config"
        inference = Inference(ssh_config_module.run)
        for text, port in ("Port 1\n", "1"), ("Port 22222\n", "22222"):
            file.write_text(text)
            for host in "a", "b", "c", "d":
                question = Question(host, words=("-F", str(file)))
                assert inference.ask(ssh, question).one("port") == port

    def test_many_at_once_ask_twice(self, tmp_path: Path) -> None:
        calls: list[str] = []
        first = threading.Event()

        def run(argv: Sequence[str], host: str) -> tuple[Settings, str]:
            calls.append(host)
            first.wait(0.05)
            return Settings({"hostname": [host]}), "OpenSSH_9.2"

        inference = Inference(run)
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(lambda n: inference.ask("ssh", Question(f"h{n}")), range(50)))
        assert [each.one("hostname") for each in found] == [f"h{n}" for n in range(50)]
        assert len(calls) == 2


@pytest.mark.parametrize(
    ("words", "host", "expected"),
    [
        (["*"], "a", True),
        (["a", "b"], "b", True),
        (["a?"], "a", False),
        (["a.b"], "axb", False),
        (["!a", "*"], "a", False),
        (["!a*"], "b", False),
        ([], "a", False),
    ],
)
def test_patterns(words: list[str], host: str, expected: bool) -> None:
    assert Patterns(words).fit(host) is expected


def test_what_it_adds_to_the_way_is_known_to_the_conversation(
    server: Server, ssh_config: Write
) -> None:
    ssh_config(f"Host chat1\n{block(server).replace('127.0.0.1', 'localhost')}AddressFamily inet\n")
    known = server.known_hosts.read_text().replace("127.0.0.1", "localhost")
    server.known_hosts.with_name("named").write_text(known)
    options = Options(known_hosts=(str(server.known_hosts.with_name("named")),))
    with open_agent(named(server), PATHS_HERE, NOTHING, options) as agent:
        facts = [(fact.what, fact.value) for fact in agent.reached]
    assert facts[:3] == [
        ("goes to", "localhost"),
        ("goes to", f"port {server.port}"),
        ("goes to", "127.0.0.1"),
    ]

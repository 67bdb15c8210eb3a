"""When ssh is asked for one host only, compared with the answers of a real ssh for each host."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from scimconf.errors import HostError
from scimconf.ssh import every_host, ssh_config
from scimconf.ssh.ssh_config import Question, Settings

Write = Callable[[str], Path]

HOSTS = ("chat1.example.com", "chat2", "192.0.2.7", "a-b.example.com", "other.test")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that ssh is asked for."""
    asked: list[str] = []
    answer = ssh_config._answer.__wrapped__

    @cache
    def counted(ssh: str, question: Question) -> tuple[Settings, bool]:
        asked.append(question.host)
        found: tuple[Settings, bool] = answer(ssh, question)
        return found

    monkeypatch.setattr(ssh_config, "_answer", counted)
    return asked


def answers(port: int | None = None) -> list[Settings]:
    ssh = shutil.which("ssh")
    assert ssh
    return [ssh_config.ask(ssh, Question(host, port, "zulip")) for host in HOSTS]


def each_asked() -> list[Settings]:
    ssh = shutil.which("ssh")
    assert ssh
    return [ssh_config._answer(ssh, Question(host, None, "zulip"))[0] for host in HOSTS]


SAME = (
    "",
    "# Host chat1\n\n   # Match all\nPort 2222\nIdentityFile ~/.ssh/fleet\n",
    "Host *\n  User zulip\n  StrictHostKeyChecking yes\n",
    "host = *\nServerAliveInterval=5\nProxyJump bastion\n",
    "Include more\n",
)
DIFFERENT = (
    "Host chat2\n  Port 2222\n",
    "Host * !chat2\n  Port 2222\n",
    "Host chat1.example.com *\n  Port 2222\n",
    "Match host chat2\n  Port 2222\n",
    "match all\n  Port 2222\n",
    "HostName %h.example.net\n",
    "UserKnownHostsFile ~/.ssh/known_%h\n",
    "CanonicalizeHostname yes\n",
    'Host "chat2"\n  Port 2222\n',
    '"Host" chat2\n  Port 2222\n',
    "HostName gateway.example.com\n",
    f"HostName {HOSTS[0]}\n",
    "Host *\x0cchat1 chat2\n  Port 2222\n",  # a form feed ends no line
    "Host *\rchat1 chat2\n  Port 2222\n",
    "Host\tchat2\n\tPort 2222\n",
    "HOST chat2\n  Port 2222\n",
)


@pytest.mark.parametrize("text", SAME)
def test_ssh_is_asked_once_if_it_says_the_same_of_every_host(
    ssh_config: Write, calls: list[str], text: str
) -> None:
    ssh_config(text)
    found = answers()
    assert calls == [HOSTS[0]]
    assert found == each_asked()


@pytest.mark.parametrize("text", DIFFERENT)
def test_otherwise_ssh_is_asked_for_each_host(
    ssh_config: Write, calls: list[str], text: str
) -> None:
    ssh_config(text)
    found = answers()
    assert calls == list(HOSTS)
    assert found == each_asked()


def test_an_included_file_counts_too(ssh_config: Write, calls: list[str], tmp_path: Path) -> None:
    more = tmp_path / "more.conf"
    more.write_text("Host chat2\n  Port 2222\n")
    ssh_config(f"Include {tmp_path}/*.conf\n")
    found = answers()
    assert calls == list(HOSTS)
    assert [each.one("port") for each in found] == ["22", "2222", "22", "22", "22"]


def test_ssh_is_asked_for_a_host_that_others_jump_through(ssh_config: Write) -> None:
    ssh_config("ProxyJump zulip@chat2\n")
    with pytest.raises(HostError, match="jumphost loop via chat2"):
        answers()


def test_each_port_is_a_question_of_its_own(ssh_config: Write, calls: list[str]) -> None:
    ssh_config("")
    assert {each.one("port") for each in answers(1234)} == {"1234"}
    assert {each.one("port") for each in answers(5678)} == {"5678"}
    assert calls == [HOSTS[0], HOSTS[0]]


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("chat1", True),
        ("chat1.example.com", True),
        ("10.0.0.7", True),
        ("Chat1", False),  # ssh prints it in lower case
        ("127.1", False),  # ssh prints 127.0.0.1
        ("010.0.0.1", False),
        ("::1", False),
        ("-oProxyCommand=x", False),
        ("chat1.", False),
    ],
)
def test_which_hosts_ssh_prints_as_they_are(host: str, plain: bool) -> None:
    assert every_host.is_plain(host) is plain


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Dropbear\n",
        "OpenSSH_9.2p1\n",  # it does not name /etc/ssh/ssh_config
        "OpenSSH_9.2p1\ndebug1: Reading configuration data /nowhere/config\n",
    ],
)
def test_what_is_not_certain_counts_as_a_no(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    usual = tmp_path / "ssh_config"
    usual.touch()
    monkeypatch.setattr(every_host, "_USUAL", str(usual))
    assert not every_host.holds(said)


def test_an_error_concerns_only_its_own_host(calls: list[str], tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\ncase "$*" in *chat1*) exit 1;; esac\necho "hostname chat2"\n')
    program.chmod(0o755)
    with pytest.raises(HostError):
        ssh_config.ask(str(program), Question("chat1"))
    assert ssh_config.ask(str(program), Question("chat2")).one("hostname") == "chat2"
    with pytest.raises(HostError):
        ssh_config.ask(str(program), Question("chat1"))


def test_if_ssh_fails_the_other_hosts_are_asked_at_the_same_time(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    waits = f'until [ -e "{tmp_path}/b" ] && [ -e "{tmp_path}/c" ]; do sleep 0.01; done'
    program.write_text(
        '#!/bin/sh\nfor host; do :; done\n[ "$host" = a ] && exit 1\n'
        f'touch "{tmp_path}/$host"\n{waits}\necho "hostname $host"\n'
    )
    program.chmod(0o755)
    with pytest.raises(HostError):
        ssh_config.ask(str(program), Question("a"))
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda host: ssh_config.ask(str(program), Question(host)), "bc")
        assert [each.one("hostname") for each in found] == ["b", "c"]

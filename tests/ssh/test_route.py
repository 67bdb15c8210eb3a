from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.errors import HostError
from scimconf.secret import Secret
from scimconf.ssh.route import ProxyCommand, Route, find_route, resolve, way_facts
from scimconf.ssh.ssh_config import Settings, parse
from tests.factories import connection

CONNECTION = connection(host="chat1", user=None, password=Secret("never"))
ROUTE = Route(
    host="chat1",
    port=22,
    user="deploy",
    name="chat1",
    known_hosts=(),
    identity_file=None,
    identity_files=(),
    identities_only=False,
    ssh_agent=None,
    timeout=10.0,
)
OUTPUT = """\
user deploy
hostname 10.0.0.7
port 2222
identityfile ~/.ssh/fleet_%h
identityfile ~/.ssh/id_rsa
userknownhostsfile ~/.ssh/known_hosts /etc/fleet_hosts
globalknownhostsfile none
identitiesonly yes
connecttimeout none
proxycommand none
"""


def route(text: str = OUTPUT, **changes: object) -> Route:
    return resolve(replace(CONNECTION, **changes), lambda _: Settings(parse(text)))


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("OTHER_SOCK", "/run/other")


def test_settings_of_ssh_config() -> None:
    assert route() == Route(
        host="10.0.0.7",
        port=2222,
        user="deploy",
        name="[10.0.0.7]:2222",
        known_hosts=("/home/me/.ssh/known_hosts", "/etc/fleet_hosts"),
        identity_file=None,
        identity_files=("/home/me/.ssh/fleet_10.0.0.7", "/home/me/.ssh/id_rsa"),
        identities_only=True,
        ssh_agent="/run/agent",
        timeout=10.0,
        principal="10.0.0.7",
    )


def test_settings_of_the_inventory_come_first() -> None:
    found = route(port=22, user="zulip", private_key="~/k")
    assert (found.port, found.user, found.identity_file) == (22, "zulip", "/home/me/k")
    assert found.name == "10.0.0.7"


def test_only_ssh_config_can_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "s3cret")
    found = route("identityfile ${A_SECRET}/%r@%n\n" + OUTPUT, private_key="${A_SECRET}/%r")
    assert found.identity_files[0] == "s3cret/deploy@chat1"
    assert found.identity_file == "${A_SECRET}/deploy"


def test_without_an_ssh_program() -> None:
    found = route("", user="me")
    assert (found.host, found.port, found.name) == ("chat1", 22, "chat1")
    assert found.known_hosts == ("/home/me/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
    assert found.identity_files[0] == "/home/me/.ssh/id_ed25519"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hostkeyalias Fleet", {"name": "fleet"}),
        ("connecttimeout 33", {"timeout": 33.0}),
        ("connecttimeout 3", {"timeout": 10.0}),
        ("identityagent none", {"ssh_agent": None}),
        ("identityagent SSH_AUTH_SOCK", {"ssh_agent": "/run/agent"}),
        ("identityagent $OTHER_SOCK", {"ssh_agent": "/run/other"}),
        ("identityagent ~/.agent", {"ssh_agent": "/home/me/.agent"}),
    ],
)
def test_single_settings(line: str, expected: Mapping[str, object]) -> None:
    found = route(line + "\n" + OUTPUT)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stand-in for the ssh program."""
    program = tmp_path / "ssh"
    program.touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return program


def test_the_ssh_program_is_asked(ssh: Path) -> None:
    ssh.write_text('#!/bin/sh\necho "hostname $*"\n')
    assert find_route(CONNECTION).host == "-v -G -- chat1"
    found = find_route(replace(CONNECTION, port=2222, user="me"))
    assert found.host == "-v -G -p 2222 -l me -- chat1"


def test_an_invalid_ssh_config(ssh: Path) -> None:
    ssh.write_text('#!/bin/sh\nprintf "line 3:\\033[1m Bad option\\n" >&2; exit 255\n')
    with pytest.raises(HostError, match=r"for chat1: line 3: Bad option$"):
        find_route(CONNECTION)


def test_an_ssh_config_that_waits(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scimconf.ssh.ssh_config._TIMEOUT", 0.1)
    ssh.write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(HostError, match="did not end within") as caught:
        find_route(CONNECTION)
    assert "Match exec" in caught.value.hint


def test_the_real_ssh_program_reads_its_configuration() -> None:
    assert find_route(replace(CONNECTION, port=2222, user="me")).name == "[chat1]:2222"


def test_facts_that_are_not_in_the_inventory() -> None:
    found = resolve(CONNECTION, lambda _: Settings(parse(OUTPUT)))
    found = replace(found, jump=replace(ROUTE, host="bastion", jump=replace(ROUTE, host="outer")))
    facts = way_facts(CONNECTION, found, "192.0.2.7")
    assert [(fact.what, fact.value) for fact in facts] == [
        ("connects to", "10.0.0.7"),
        ("connects to", "port 2222"),
        ("connects to", "192.0.2.7"),
        ("logs in as", "deploy"),
        ("through", "deploy@bastion port 22"),
        ("through", "deploy@outer port 22"),
    ]
    assert not any(fact.bound for fact in facts)


def test_no_facts_if_the_inventory_has_all_settings() -> None:
    said = connection(host="10.0.0.7", port=22, user="zulip")
    assert way_facts(said, replace(ROUTE, host="10.0.0.7"), "10.0.0.7") == ()
    command = replace(ROUTE, host="10.0.0.7", proxy_command=ProxyCommand("nc 10.0.0.7 22", ""))
    (fact,) = way_facts(said, command, None)
    assert (fact.what, fact.value) == ("runs on this machine", "nc 10.0.0.7 22")

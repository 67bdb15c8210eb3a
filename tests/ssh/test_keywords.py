"""The tables contain every option of ssh_config(5) and of the installed ssh."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.errors import HostError
from scimconf.ssh import arguments, reference, ssh_config
from scimconf.ssh.keywords import REFUSED, SUPPORTED, WARNED, WITHOUT_EFFECT, not_followed, warned
from scimconf.ssh.session import Options, open_agent
from scimconf.ssh.ssh_config import parse
from tests.lab.lab import PROJECT
from tests.ssh.server import PATHS_HERE, Server
from tests.ssh.test_ssh_config import block, named
from tests.ssh.test_sshd import NOTHING, ask, failing

Write = Callable[[str], Path]
TABLES = (SUPPORTED, WITHOUT_EFFECT, WARNED, REFUSED)
KNOWN = {name.lower() for table in TABLES for name in table}


def test_each_option_is_in_one_table() -> None:
    assert len(KNOWN) == sum(map(len, TABLES))


def test_each_option_that_ssh_prints_is_in_the_tables() -> None:
    printed = subprocess.run(
        ["ssh", "-F", "none", "-G", "localhost"], capture_output=True, text=True, check=True
    ).stdout
    words = {line.split()[0].lower() for line in printed.splitlines()}
    assert len(words) > 60
    assert words - KNOWN == set()


def test_each_option_of_the_manual_is_in_the_tables() -> None:
    page = next(Path("/usr/share/man/man5").glob("ssh_config.5*"), None)
    if page is None:
        pytest.skip("needs the manual page of ssh_config")
    raw = page.read_bytes()
    text = (gzip.decompress(raw) if page.suffix == ".gz" else raw).decode()
    words = {word.lower() for word in re.findall(r"^\.It Cm ([A-Z]\w+)", text, re.MULTILINE)}
    assert len(words) > 80
    assert words - KNOWN == set()


def test_options_followed_in_an_inventory_are_supported() -> None:
    assert set(arguments._FOLLOWED) - {name.lower() for name in SUPPORTED} == set()


def test_the_page_contains_the_current_table() -> None:
    page = PROJECT / "docs/ssh.md"
    assert reference.updated(page.read_text()) == page.read_text(), "run: make docs"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("loglevel DEBUG", []),
        ("stricthostkeychecking false", []),
        ("revokedhostkeys /etc/revoked", []),
        ("checkhostip yes", ["CheckHostIP"]),
        ("checkhostip no", []),
        ("knownhostscommand none", []),
        ("knownhostscommand /bin/keys %H", ["KnownHostsCommand"]),
        ("bindinterface eth1", []),
        ("proxyusefdpass yes", ["ProxyUseFdpass"]),
        ("optionoftomorrow yes", ["optionoftomorrow"]),
        ("optionofyesterday usual", []),
    ],
)
def test_unsupported_options_are_refused(line: str, expected: list[str]) -> None:
    usual = parse("checkhostip no\nproxyusefdpass no\noptionofyesterday usual\n")
    assert [name for name, _ in not_followed(parse(line), usual)] == expected


def test_an_old_ssh_has_other_defaults() -> None:
    assert not list(not_followed(parse("checkhostip no"), parse("checkhostip yes")))
    assert not list(not_followed(parse("checkhostip yes"), parse("checkhostip yes")))


@pytest.mark.parametrize("line", ["KnownHostsCommand /bin/false %H", "CheckHostIP yes"])
def test_an_unsupported_option_is_refused_by_name_before_a_connection(
    server: Server, ssh_config: Write, line: str
) -> None:
    ssh_config(f"Host chat1\n{block(server)} {line}\n")
    error = failing(named(server), Options())
    assert error.step == "connect"
    assert f"sets {line.split()[0]} for chat1" in error.message
    assert "ssh -G chat1" in error.hint
    ssh_config(f"Host chat2\n {line}\nHost chat1\n{block(server)}")
    assert ask(named(server), Options())["final"] is True


def test_an_unsupported_option_of_a_jump_host_is_refused(server: Server, ssh_config: Write) -> None:
    ssh_config(f"Host chat1\n{block(server)} ProxyJump bastion\nHost bastion\n CheckHostIP yes\n")
    assert "sets CheckHostIP for bastion" in failing(named(server), Options()).message


def test_an_unsupported_option_affects_only_its_host(server: Server, ssh_config: Write) -> None:
    ssh_config(f"Host chat4\n CheckHostIP yes\nHost chat*\n{block(server)}")
    for name in "chat1", "chat2", "chat3":
        assert ask(named(server, name), Options())["final"] is True
    assert "sets CheckHostIP for chat4" in failing(named(server, "chat4"), Options()).message


def test_the_defaults_are_those_of_the_ssh_that_is_asked(tmp_path: Path) -> None:
    real = shutil.which("ssh")
    assert real is not None
    assert ssh_config.defaults(real).one("checkhostip") == "no"
    other = tmp_path / "ssh"
    other.write_text("#!/bin/sh\necho 'checkhostip yes'\n")
    other.chmod(0o755)
    assert ssh_config.defaults(str(other)).one("checkhostip") == "yes"


def test_an_inventory_cannot_set_options_about_host_keys(server: Server) -> None:
    """Options about host keys are ignored with a warning."""
    words = ("-o", "KnownHostsCommand=/bin/false", "-o", "RevokedHostKeys=/dev/null")
    found = arguments.parse(words)
    assert found.ignored == ("KnownHostsCommand", "RevokedHostKeys")
    assert all(arguments.trust(name) for name in found.ignored)
    connection = replace(server.connection(), ssh_arguments=words)
    assert ask(connection, server.options)["final"] is True


def test_each_refusal_has_a_reason_and_a_remedy() -> None:
    for name, refusal in (REFUSED | WARNED).items():
        assert refusal.why, name
        assert refusal.way_out, name
    with pytest.raises(HostError, match="sets ProxyUseFdpass for chat1") as caught:
        ssh_config.check_followed(
            ssh_config.Settings({"proxyusefdpass": ["yes"]}),
            ssh_config.Settings(),
            ssh_config.Question("chat1"),
        )
    assert "use a ProxyCommand that passes the data on" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bindinterface eth1", ["BindInterface"]),
        ("connectionattempts 1", []),
        ("connectionattempts 3", ["ConnectionAttempts"]),
        ("hostbasedauthentication yes", ["HostbasedAuthentication"]),
        ("nohostauthenticationforlocalhost yes", ["NoHostAuthenticationForLocalhost"]),
        ("pkcs11provider /usr/lib/opensc-pkcs11.so", ["PKCS11Provider"]),
        ("pkcs11provider none", []),
        ("securitykeyprovider internal", []),
        ("securitykeyprovider /usr/lib/sk.so", ["SecurityKeyProvider"]),
        ("tunnel point-to-point", ["Tunnel"]),
        ("tunnel false", []),
        ("verifyhostkeydns ask", ["VerifyHostKeyDNS"]),
        ("gssapiauthentication yes", []),  # Debian and Red Hat set it for all hosts
    ],
)
def test_options_that_change_the_connection_of_ssh_only_cause_a_warning(
    line: str, expected: list[str]
) -> None:
    usual = parse("verifyhostkeydns false\nconnectionattempts 1\ntunnel false\n")
    assert [name for name, _ in warned(parse(line), usual)] == expected


def test_a_warning_names_the_option_and_its_host(server: Server, ssh_config: Write) -> None:
    ssh_config(
        f"Host chat1\n{block(server)} BindInterface lo\n ProxyJump bastion\n"
        f"Host bastion\n{block(server)} VerifyHostKeyDNS yes\n"
    )
    with open_agent(named(server), PATHS_HERE, NOTHING, Options()) as agent:
        first, second = agent.warnings
    assert "sets BindInterface for chat1, which is not followed" in first
    assert "use BindAddress" in first
    assert "sets VerifyHostKeyDNS for bastion" in second

"""Tokens, quotes and variables in ssh_config, compared with the installed ssh.

`ssh -G` expands ControlPath as ssh expands IdentityFile (ssh.c), so it is the oracle.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import HostError
from scimconf.model import Connection
from scimconf.ssh.route import find_route
from scimconf.ssh.session import Options
from scimconf.ssh.ssh_config import Tokens, file_names
from tests.factories import connection
from tests.ssh.server import Server
from tests.ssh.test_ssh_config import block, named
from tests.ssh.test_sshd import ask, failing

Write = Callable[[str], Path]


def expected(text: str, host: str = "CHAT1") -> str:
    """Return how ssh expands a text in IdentityFile."""
    quoted = f'"{text}"' if " " in text else text
    done = subprocess.run(
        ["ssh", "-G", "-o", f"ControlPath={quoted}", "-p", "33", "-l", "bob", "--", host],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("controlpath ")]
    return line.removeprefix("controlpath ")


def chat(**changes: object) -> Connection:
    return connection(**{"host": "CHAT1", "port": 33, "user": "bob", **changes})


@pytest.mark.parametrize("alias", ["", "HostKeyAlias Fleet\n"])
@pytest.mark.parametrize("name", ["", "HostName 10.0.0.7\n"])
@pytest.mark.parametrize("letter", ["%", *"CdhikLlnpru"])
def test_each_token_of_a_file_name(ssh_config: Write, letter: str, name: str, alias: str) -> None:
    ssh_config(f"{alias}{name}IdentityFile /keys/a-%{letter}-b\nCertificateFile /c/%{letter}\n")
    route = find_route(chat())
    assert route.identity_files == (expected(f"/keys/a-%{letter}-b"),)
    assert route.certificate_files == (expected(f"/c/%{letter}"),)
    of_inventory = find_route(chat(private_key=f"/keys/%{letter}"))
    assert of_inventory.identity_file == expected(f"/keys/%{letter}")


@pytest.mark.parametrize("word", ["none", "NONE"])
def test_no_identity_file(ssh_config: Write, word: str) -> None:
    """ssh reads no file of that name."""
    ssh_config(f"IdentityFile {word}\n")
    assert find_route(chat()).identity_files == ()


def test_the_hash_is_that_of_the_installed_ssh_also_behind_a_jump_host(ssh_config: Write) -> None:
    """Since 9.6 it contains the jump host, too."""
    ssh_config("Host CHAT1\n ProxyJump me@Bastion:2222\n IdentityFile /keys/%C\n")
    assert find_route(chat()).identity_files == (expected("/keys/%C"),)


def test_the_jump_host_is_a_token_of_a_newer_ssh(ssh_config: Write) -> None:
    ssh_config("Host CHAT1\n ProxyJump one,me@bastion:2222\n IdentityFile /keys/%j\n")
    assert find_route(chat()).identity_files == ("/keys/bastion",)
    ssh_config("IdentityFile /keys/x%j\n")
    assert find_route(chat()).identity_files == ("/keys/x",)


def test_the_hash_without_an_ssh_that_prints_it() -> None:
    tokens = Tokens("chat1", "CHAT1", 33, "bob", "CHAT1", jump="bastion")
    text = f"{socket.gethostname()}chat133bobbastion"
    assert tokens.path("%C") == hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def test_the_tokens_of_a_proxy_command(ssh_config: Write) -> None:
    ssh_config("HostName 10.0.0.7\nProxyCommand nc %h %p # %n %r 100%%\n")
    route = find_route(chat())
    assert route.proxy_command
    assert route.proxy_command.command == "nc 10.0.0.7 33 # CHAT1 bob 100%"


@pytest.mark.parametrize(
    ("line", "letter"),
    [
        ("IdentityFile /keys/%T", "%T"),
        ("IdentityFile /keys/%H", "%H"),
        ("CertificateFile /keys/%K", "%K"),
        ("IdentityFile /keys/a%", "%"),
        ("ProxyCommand nc %h %p %C", "%C"),
        ("ProxyCommand nc %h %p %d", "%d"),
    ],
)
def test_a_letter_that_the_option_does_not_have_is_an_error_as_in_ssh(
    ssh_config: Write, line: str, letter: str
) -> None:
    ssh_config(f"{line}\n")
    with pytest.raises(HostError, match=f"contains {letter}, which ssh does not expand there"):
        find_route(chat())


def test_a_variable_of_the_environment(ssh_config: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET", "a%h b")
    ssh_config("IdentityFile /keys/${FLEET}\nUserKnownHostsFile ${FLEET}\n")
    assert find_route(chat()).identity_files == ("/keys/a%h b",)
    monkeypatch.delenv("FLEET")
    ssh_config("IdentityFile /keys/${FLEET}\n")
    with pytest.raises(HostError, match="environment variable FLEET, which is not set"):
        find_route(chat())


def test_what_ssh_has_expanded_is_not_expanded_again(ssh_config: Write, tmp_path: Path) -> None:
    ssh_config(
        f'UserKnownHostsFile "{tmp_path}/known %%h" {tmp_path}/%%C\n'
        f"IdentityAgent {tmp_path}/%%d\nRevokedHostKeys {tmp_path}/100\n"
    )
    (tmp_path / "%d").touch()
    route = find_route(chat())
    assert route.known_hosts[:2] == (f"{tmp_path}/known %h", f"{tmp_path}/%C")
    assert route.ssh_agent == f"{tmp_path}/%d"


def test_a_key_is_found_by_the_hash_of_the_connection(
    server: Server, ssh_config: Write, tmp_path: Path
) -> None:
    ssh_config(f"Host chat1\n{block(server)}".replace(str(server.key), f"{tmp_path}/id-%C"))
    error = failing(named(server), Options())
    assert "there was no key to try" in error.message
    user = server.connection().user
    where = f"{socket.gethostname()}127.0.0.1{server.port}{user}"
    digest = hashlib.sha1(where.encode(), usedforsecurity=False).hexdigest()
    shutil.copy(server.key, tmp_path / f"id-{digest}")
    assert ask(named(server), Options())["final"] is True


def test_quoted_file_names_with_spaces(server: Server, ssh_config: Write, tmp_path: Path) -> None:
    folder = tmp_path / "my keys"
    folder.mkdir()
    shutil.copy(server.key, folder / "id fleet")
    shutil.copy(server.known_hosts, folder / "known hosts")
    ssh_config(
        f"Host chat1\n HostName 127.0.0.1\n Port {server.port}\n"
        f' IdentityFile "{folder}/id fleet"\n'
        f' UserKnownHostsFile /nowhere "{folder}/known hosts"\n'
    )
    assert ask(named(server), Options())["final"] is True


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("/a/known_hosts /b/known_hosts", ["/a/known_hosts", "/b/known_hosts"]),
        ("/a b/known hosts /c", ["/a b/known hosts", "/c"]),
        ("~/a b ~/c", ["~/a b", "~/c"]),
        ("/a  b", ["/a  b"]),
        ("one two", ["one", "two"]),
        ("none", []),
        ("/dev/null", ["/dev/null"]),
        ("", []),
    ],
)
def test_lists_of_files_as_ssh_prints_them(value: str, names: list[str]) -> None:
    assert file_names(value) == names


def test_a_relative_name_that_exists_is_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").touch()
    assert file_names("/a b mine") == ["/a b", "mine"]


@given(text=st.text(st.sampled_from("%hCd{}$ ~/x"), max_size=12))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    tokens = Tokens("chat1", "chat1", 22, "bob", "chat1")
    for expand in (tokens.path, tokens.own_path, tokens.command, tokens.expand):
        with suppress(HostError):
            assert "%h" not in expand(text.replace("%%", ""))

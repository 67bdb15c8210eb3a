"""The accepted algorithms, against real sshds that offer only weak ones."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scimconf.errors import HostError, Unreachable
from scimconf.ssh import algorithms
from scimconf.ssh.algorithms import ALL, CIPHERS, HOST_KEYS, KEX, MACS, SIGNATURES, narrowed
from scimconf.ssh.session import Options
from scimconf.ssh.ssh_config import Settings
from scimconf.ssh.transport import Transport, _GroupExchange
from tests.lab.lab import PROJECT
from tests.ssh.server import Server, make_key, sign, special_server, ssh_agent
from tests.ssh.test_ssh_config import block, named
from tests.ssh.test_sshd import ask, failing

pytestmark = pytest.mark.usefixtures("home")
Write = Callable[[str], Path]
WEAK = re.compile(r"cbc|3des|md5|sha1\b|-96|arcfour|group1-|dss|^ssh-rsa")


def test_the_lists_contain_no_weak_algorithm() -> None:
    names = (*CIPHERS, *MACS, *KEX, *SIGNATURES, *HOST_KEYS)
    assert [name for name in names if WEAK.search(name)] == []


def test_paramiko_has_all_algorithms() -> None:
    have = Transport
    assert set(CIPHERS) <= set(have._cipher_info)
    assert set(MACS) <= set(have._mac_info)
    assert set(HOST_KEYS) <= set(have._key_info)
    # mlkem768x25519-sha256 needs a newer OpenSSL than some systems have.
    assert set(KEX) - set(have._kex_info) <= {"mlkem768x25519-sha256"}


def test_the_page_names_all_algorithms() -> None:
    part = (PROJECT / "docs/ssh.md").read_text().partition("## Algorithms")[2].partition("\n## ")[0]
    named_there = set(re.findall(r"`([\w@.-]+)`", part))
    for name in (*CIPHERS, *MACS, *KEX, *SIGNATURES):
        plain = name.removesuffix("-etm@openssh.com").removesuffix("@libssh.org")
        assert {plain, f"-{plain.rpartition('-')[2]}"} & named_there, name
    assert str(algorithms.LEAST_RSA) in part


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Ciphers 3des-cbc", "cipher"),
        ("Ciphers aes128-cbc,aes192-cbc,aes256-cbc", "cipher"),
        ("MACs hmac-md5,hmac-md5-96", "MAC"),
        ("MACs hmac-sha1,hmac-sha1-96", "MAC"),
        ("KexAlgorithms diffie-hellman-group14-sha1", "key exchange method"),
    ],
)
def test_a_server_with_weak_algorithms_only_is_refused(
    tmp_path: Path, line: str, kind: str
) -> None:
    with special_server(tmp_path, line, "LogLevel DEBUG") as server:
        error = failing(server.connection(), server.options)
        log = (tmp_path / "sshd.log").read_text(errors="replace")
    assert isinstance(error, Unreachable)
    names = line.split()[1].replace(",", ", ")
    assert f"have no {kind} in common; the server offers: {names}" in error.message
    assert "in its sshd_config, allow one of: " in error.hint
    assert not WEAK.search(error.hint.partition("one of: ")[2])
    assert "userauth" not in log


def test_a_small_group_is_refused() -> None:
    class Nothing:
        """No connection: nothing may be sent."""

    message = paramiko.Message()
    message.add_mpint(1 << 1535)
    message.add_mpint(2)
    message.rewind()
    with pytest.raises(paramiko.SSHException, match="a group of 1536 bits"):
        _GroupExchange(Nothing())._parse_kexdh_gex_group(message)


def test_group_exchange(tmp_path: Path) -> None:
    with special_server(tmp_path, "KexAlgorithms diffie-hellman-group-exchange-sha256") as server:
        assert ask(server.connection(), server.options)["final"] is True


def short_key(path: Path, bits: int = 1024) -> Path:
    """Make an RSA key that ssh-keygen may refuse to make."""
    made = rsa.generate_private_key(65537, bits)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH)
    path.touch(0o600)
    path.write_bytes(made.private_bytes(*form, serialization.NoEncryption()))
    public = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True)
    path.with_name(f"{path.name}.pub").write_bytes(public.stdout)
    return path


class TestShortRsaKeys:
    """RSA keys need 2048 bits, or more if RequiredRSASize says so."""

    @staticmethod
    @contextmanager
    def showing(folder: Path, key: Path) -> Iterator[Server]:
        lines = (f"HostKey {key}", "HostKeyAlgorithms rsa-sha2-512,rsa-sha2-256")
        with special_server(folder, *lines, "LogLevel DEBUG") as server:
            public = key.with_name(f"{key.name}.pub").read_text()
            server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public}")
            yield server

    @pytest.mark.parametrize("host_key", ["strict", "accept-new"])
    def test_of_a_host(self, tmp_path: Path, host_key: str) -> None:
        with self.showing(tmp_path, short_key(tmp_path / "rsa")) as server:
            options = Options(host_key=host_key, known_hosts=(str(server.known_hosts),))
            error = failing(server.connection(), options)
            log = (tmp_path / "sshd.log").read_text(errors="replace")
        assert "is an RSA key of 1024 bits, and at least 2048 are required" in error.message
        assert "ssh-keygen -A" in error.hint
        assert "userauth" not in log

    def test_required_rsa_size_of_ssh_config(self, tmp_path: Path, ssh_config: Write) -> None:
        with self.showing(tmp_path, make_key(tmp_path / "rsa", "rsa-2048")) as server:
            ssh_config(block(server))
            assert ask(named(server), Options())["final"] is True
            ssh_config(f"RequiredRSASize 3072\n{block(server)}")
            assert "at least 3072 are required" in failing(named(server), Options()).message
            ssh_config(f"RequiredRSASize 1024\n{block(server)}")
            assert ask(named(server), Options())["final"] is True

    def test_of_an_authority(self, tmp_path: Path) -> None:
        with special_server(tmp_path, f"HostCertificate {tmp_path}/host_key-cert.pub") as server:
            authority = short_key(tmp_path / "ca")
            sign(authority, tmp_path / "host_key", "-h", names="127.0.0.1")
            line = f"@cert-authority * {(tmp_path / 'ca.pub').read_text()}"
            server.known_hosts.write_text(line)
            error = failing(server.connection(), server.options)
        assert "its authority has an RSA key of 1024 bits" in error.message

    @pytest.mark.parametrize("where", ["file", "ssh agent", "certificate"])
    def test_of_a_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        key = short_key(tmp_path / "key")
        if where == "certificate":
            sign(make_key(tmp_path / "ca"), key, names="zulip")
        lines = (f"AuthorizedKeysFile {key}.pub", "LogLevel DEBUG")
        with special_server(tmp_path, *lines) as server, ssh_agent(tmp_path, key) as address:
            if where == "ssh agent":
                monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
            named_key = None if where == "ssh agent" else str(key)
            error = failing(server.connection(private_key=named_key), server.options)
            log = (tmp_path / "sshd.log").read_text(errors="replace")
        assert "it is an RSA key of 1024 bits, and 2048 are required" in error.message
        assert "method publickey" not in log


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Ciphers aes256-gcm@openssh.com", "cipher"),
        ("MACs hmac-sha2-512", "MAC"),
        ("KexAlgorithms curve25519-sha256", "key exchange method"),
        ("HostKeyAlgorithms rsa-sha2-512", "host key type"),
    ],
)
def test_ssh_config_can_remove_algorithms(
    tmp_path: Path, ssh_config: Write, line: str, kind: str
) -> None:
    """A server without any of the remaining algorithms is refused, as ssh refuses it."""
    keyword, name = line.split()
    rest = {"Ciphers": CIPHERS, "MACs": MACS, "KexAlgorithms": KEX, "HostKeyAlgorithms": SIGNATURES}
    installed = {"mlkem768x25519-sha256", name}
    others = ",".join(each for each in rest[keyword] if each not in installed)
    with special_server(tmp_path, f"{keyword} {others}") as server:
        ssh_config(block(server))
        assert ask(named(server), Options())["final"] is True
        ssh_config(f"{line}\n{block(server)}")
        error = failing(named(server), Options())
    assert f"have no {kind} in common" in error.message
    assert error.hint.endswith(f"one of: {name}")


def test_ssh_config_without_a_common_algorithm(server: Server, ssh_config: Write) -> None:
    ssh_config(f"Ciphers aes256-cbc\n{block(server)}")
    error = failing(named(server), Options())
    assert "allows no Ciphers for chat1" in error.message
    assert "aes128-ctr" in error.hint


def test_signatures_of_authorities(tmp_path: Path, ssh_config: Write) -> None:
    with special_server(tmp_path, f"HostCertificate {tmp_path}/host_key-cert.pub") as server:
        sign(make_key(tmp_path / "ca"), tmp_path / "host_key", "-h", names="127.0.0.1")
        server.known_hosts.write_text(f"@cert-authority * {(tmp_path / 'ca.pub').read_text()}")
        ssh_config(block(server))
        assert ask(named(server), Options())["final"] is True
        ssh_config(f"CASignatureAlgorithms rsa-sha2-512\n{block(server)}")
        assert "it is signed with ssh-ed25519" in failing(named(server), Options()).message


def test_default_lists_of_ssh_remove_nothing() -> None:
    """The installed ssh may lack algorithms that scimconf has."""
    usual = Settings({"kexalgorithms": ["of,yesterday"], "ciphers": ["aes256-ctr"]})
    said = Settings({"kexalgorithms": ["of,yesterday"], "ciphers": ["aes128-ctr,x"], "port": ["1"]})
    left = algorithms.without_defaults(said, usual)
    assert set(left.values) == {"ciphers", "port"}
    assert narrowed(left, "chat1").ciphers == ("aes128-ctr",)
    assert narrowed(left, "chat1").kex == ALL.kex
    with pytest.raises(HostError, match="allows no KexAlgorithms"):
        narrowed(said, "chat1")

"""RevokedHostKeys as a list of keys and as a KRL, compared with a real ssh."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scimconf.errors import HostError
from scimconf.ssh import revocation
from scimconf.ssh.revocation import UnreadableListError
from scimconf.ssh.session import Options
from tests.ssh.server import Server, make_key, sign, special_server
from tests.ssh.test_ssh_config import block, named
from tests.ssh.test_sshd import ask, failing

Write = Callable[[str], Path]


@pytest.fixture
def revoked(tmp_path: Path) -> Path:
    return tmp_path / "revoked"


def krl(file: Path, *words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", file, *words], check=True)


def _ssh_knows(config: Path, server: Server) -> bool:
    """Return True if the real ssh accepts the host key."""
    strict = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes")
    done = subprocess.run(
        ["ssh", "-F", config, *strict, "-i", server.key, "chat1", "true"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return "Host key verification failed" not in done.stderr


def _agrees(server: Server, config: Path) -> HostError | None:
    """Compare with the real ssh; return the error, or None if the host key is accepted."""
    if _ssh_knows(config, server):
        assert ask(named(server), Options())["final"] is True
        return None
    return failing(named(server), Options())


@pytest.mark.parametrize("form", ["{key}", "# mine\n\n{other}\n  {key} a comment", "\t{key}\r"])
def test_a_key_in_the_list_is_refused(
    server: Server, ssh_config: Write, revoked: Path, tmp_path: Path, form: str
) -> None:
    config = ssh_config(f"RevokedHostKeys {revoked}\n{block(server)}")
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().strip()
    revoked.write_text(f"{other}\n")
    assert _agrees(server, config) is None
    revoked.write_text(form.format(key=server.host_key, other=other) + "\n")
    error = _agrees(server, config)
    assert error is not None
    assert f"is revoked in {revoked}" in error.message


def test_a_krl(server: Server, ssh_config: Write, revoked: Path, tmp_path: Path) -> None:
    config = ssh_config(f"RevokedHostKeys {revoked}\n{block(server)}")
    krl(revoked, make_key(tmp_path / "other").with_suffix(".pub"))
    assert _agrees(server, config) is None
    krl(revoked, "-u", server.folder / "host_key.pub")
    error = _agrees(server, config)
    assert error is not None
    assert f"is revoked in {revoked}" in error.message


@pytest.fixture
def vouched(tmp_path: Path) -> Iterator[Server]:
    """A server with a certificate of the authority `ca`, serial number 7."""
    folder = tmp_path / "vouched"
    folder.mkdir()
    with special_server(folder, f"HostCertificate {folder}/host_key-cert.pub") as server:
        authority = make_key(folder / "ca")
        sign(authority, folder / "host_key", "-h", "-z", "7", names="127.0.0.1,chat1")
        line = f"@cert-authority * {authority.with_suffix('.pub').read_text()}"
        server.known_hosts.write_text(line)
        yield server


def test_an_authority_in_the_list(vouched: Server, ssh_config: Write, revoked: Path) -> None:
    config = ssh_config(f"RevokedHostKeys {revoked}\n{block(vouched)}")
    revoked.write_text("")
    assert _agrees(vouched, config) is None
    revoked.write_text((vouched.folder / "ca.pub").read_text())
    assert "is revoked" in str(_agrees(vouched, config))


def test_a_certificate_in_a_krl(vouched: Server, ssh_config: Write, revoked: Path) -> None:
    config = ssh_config(f"RevokedHostKeys {revoked}\n{block(vouched)}")
    numbers = vouched.folder / "numbers"
    for number, known in (8, True), (7, False):
        numbers.write_text(f"serial: {number}\n")
        krl(revoked, "-s", vouched.folder / "ca.pub", numbers)
        error = _agrees(vouched, config)
        assert (error is None) is known


@pytest.mark.parametrize("what", ["missing", "folder", "no key", "damaged krl"])
def test_no_key_is_accepted_if_the_list_cannot_be_read(
    server: Server, ssh_config: Write, revoked: Path, what: str
) -> None:
    config = ssh_config(f"RevokedHostKeys {revoked}\n{block(server)}")
    match what:
        case "folder":
            revoked.mkdir()
        case "no key":
            revoked.write_text("chat1 ssh-ed25519 AAAA\n")
        case "damaged krl":
            revoked.write_bytes(b"SSHKRL\n\0damaged")
    error = _agrees(server, config)
    assert error is not None
    assert f"is revoked: {revoked} (RevokedHostKeys" in error.message


def test_a_list_that_is_a_pipe_does_not_block(
    server: Server, ssh_config: Write, revoked: Path
) -> None:
    os.mkfifo(revoked)
    ssh_config(f"RevokedHostKeys {revoked}\n{block(server)}")
    assert "it is not a regular file" in failing(named(server), Options()).message


def test_known_hosts_of_the_command_line_does_not_replace_it(
    server: Server, ssh_config: Write, revoked: Path
) -> None:
    ssh_config(f"RevokedHostKeys {revoked}\n{block(server)}")
    revoked.write_text(server.host_key)
    assert "is revoked" in failing(named(server), server.options).message


def test_the_key_of_a_jump_host(server: Server, ssh_config: Write, revoked: Path) -> None:
    revoked.write_text(server.host_key)
    ssh_config(
        f"Host bastion\n RevokedHostKeys {revoked}\n{block(server)}"
        f"Host chat1\n ProxyJump bastion\n{block(server)}"
    )
    error = failing(named(server), Options())
    assert "at the jump host" in error.message
    assert "is revoked" in error.message


def test_without_ssh_keygen_a_krl_cannot_be_read(
    revoked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    krl(revoked)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadableListError, match="ssh-keygen is not installed"):
        revocation.is_revoked(str(revoked), b"", None, None)

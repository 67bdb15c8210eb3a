"""OpenSSH certificates made by ssh-keygen, with a real sshd."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.ssh import certificate, keys
from scimconf.ssh.certificate import CertificateError
from scimconf.ssh.session import Options
from tests.ssh.server import Server, make_key, sign, special_server, ssh_agent
from tests.ssh.test_sshd import ask, failing, fingerprint

pytestmark = pytest.mark.usefixtures("home")
Write = Callable[[str], Path]
KINDS = ("ed25519", "ecdsa-256", "rsa-2048")


class TestUsers:
    """User certificates."""

    @pytest.fixture
    def trusting(self, tmp_path: Path) -> Iterator[Server]:
        """A server that accepts no key, but certificates of the authority `ca` in its folder."""
        folder = tmp_path / "trusting"
        folder.mkdir()
        authority = make_key(folder / "ca")
        with special_server(folder, f"TrustedUserCAKeys {authority}.pub") as server:
            yield server

    @staticmethod
    def certified(server: Server, key: Path, *options: str) -> Path:
        name = server.connection().user
        assert name is not None
        return sign(server.folder / "ca", key, *options, names=name)

    @pytest.mark.parametrize("kind", KINDS)
    def test_beside_the_key(self, trusting: Server, tmp_path: Path, kind: str) -> None:
        key = make_key(tmp_path / "key", kind)
        connection = trusting.connection(private_key=str(key))
        failing(connection, trusting.options)
        self.certified(trusting, key)
        assert ask(connection, trusting.options)["final"] is True

    def test_of_ssh_config(self, trusting: Server, tmp_path: Path, ssh_config: Write) -> None:
        key = make_key(tmp_path / "key")
        elsewhere = self.certified(trusting, key).rename(tmp_path / "elsewhere.pub")
        ssh_config(f"IdentityFile {key}\nCertificateFile {elsewhere}\n")
        assert ask(trusting.connection(private_key=None), trusting.options)["final"] is True

    @pytest.mark.parametrize("kind", KINDS)
    def test_in_the_ssh_agent(
        self, trusting: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        key = make_key(tmp_path / "key", kind)
        self.certified(trusting, key)  # ssh-add takes it along
        with ssh_agent(tmp_path, key) as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
            key.unlink()
            assert ask(trusting.connection(private_key=None), trusting.options)["final"] is True

    def test_for_a_key_in_the_ssh_agent(
        self, trusting: Server, tmp_path: Path, ssh_config: Write
    ) -> None:
        key = make_key(tmp_path / "key", "rsa-2048")
        with ssh_agent(tmp_path, key) as address:
            file = self.certified(trusting, key)
            ssh_config(f"IdentityAgent {address}\nIdentitiesOnly yes\nCertificateFile {file}\n")
            assert ask(trusting.connection(private_key=None), trusting.options)["final"] is True

    def test_an_expired_certificate_does_not_prevent_the_key(
        self, trusting: Server, tmp_path: Path
    ) -> None:
        self.certified(trusting, trusting.key, "-V", "20200101:20200102")
        assert ask(trusting.connection(), trusting.options)["final"] is True
        other = make_key(tmp_path / "other")
        file = self.certified(trusting, other, "-V", "20200101:20200102")
        error = failing(trusting.connection(private_key=str(other)), trusting.options)
        assert f"tried: certificate {file}, key {other}" in error.message


class TestHosts:
    """Host certificates."""

    @pytest.fixture
    def vouched(self, tmp_path: Path) -> Iterator[Server]:
        """A server that sends the certificate of its host key, once there is one."""
        folder = tmp_path / "vouched"
        folder.mkdir()
        with special_server(folder, f"HostCertificate {folder}/host_key-cert.pub") as server:
            yield server

    @staticmethod
    def known(tmp_path: Path, line: str) -> Options:
        file = tmp_path / "known_by_authority"
        file.write_text(line)
        return Options(known_hosts=(str(file),))

    @pytest.mark.parametrize("kind", [*KINDS, "ecdsa-521"])
    def test_a_certificate_of_a_known_authority_is_accepted(
        self, vouched: Server, tmp_path: Path, kind: str
    ) -> None:
        authority = make_key(tmp_path / "ca", kind)
        sign(authority, vouched.folder / "host_key", "-h", names="127.0.0.1,chat1")
        line = f"@cert-authority * {authority.with_suffix('.pub').read_text()}"
        assert ask(vouched.connection(), self.known(tmp_path, line))["final"] is True

    @pytest.mark.parametrize(
        ("options", "names", "words"),
        [
            (["-h"], "chat1,chat2", "valid for chat1, chat2"),
            (["-h"], "", "valid for no host at all"),
            ([], "127.0.0.1", "it is a user certificate"),
            (["-h", "-V", "20200101:20200102"], "127.0.0.1", "it has expired"),
            (["-h", "-V", "20990101:21000101"], "127.0.0.1", "it is not valid yet"),
            (["-h", "-O", "critical:x@test=1"], "127.0.0.1", "critical options"),
        ],
    )
    def test_an_invalid_certificate_is_refused(
        self, vouched: Server, tmp_path: Path, options: list[str], names: str, words: str
    ) -> None:
        authority = make_key(tmp_path / "ca")
        sign(authority, vouched.folder / "host_key", *options, names=names)
        line = f"@cert-authority * {authority.with_suffix('.pub').read_text()}"
        message = failing(vouched.connection(), self.known(tmp_path, line)).message
        assert f"the certificate of [127.0.0.1]:{vouched.port} is invalid: " in message
        assert words in message

    def test_a_known_key_needs_no_valid_certificate(self, vouched: Server, tmp_path: Path) -> None:
        authority = make_key(tmp_path / "ca")
        sign(authority, vouched.folder / "host_key", "-h", names="elsewhere")
        line = f"@cert-authority * {authority.with_suffix('.pub').read_text()}"
        options = self.known(tmp_path, line + vouched.known_hosts.read_text())
        assert ask(vouched.connection(), options)["final"] is True

    def test_a_certificate_of_an_unknown_authority_is_a_plain_key(
        self, vouched: Server, tmp_path: Path
    ) -> None:
        sign(make_key(tmp_path / "ca"), vouched.folder / "host_key", "-h", names="127.0.0.1")
        other = make_key(tmp_path / "other")
        line = f"@cert-authority * {other.with_suffix('.pub').read_text()}"
        error = failing(vouched.connection(), self.known(tmp_path, line))
        assert "is not in known_hosts" in error.message
        assert "without a certificate of the authority in" in error.message

    def test_revoked_keys_and_authorities_are_refused(
        self, vouched: Server, tmp_path: Path
    ) -> None:
        authority = make_key(tmp_path / "ca")
        sign(authority, vouched.folder / "host_key", "-h", names="127.0.0.1")
        public = authority.with_suffix(".pub")
        line = f"@cert-authority * {public.read_text()}"
        for revoked in public, vouched.folder / "host_key.pub":
            options = self.known(tmp_path, f"{line}@revoked * {revoked.read_text()}")
            error = failing(vouched.connection(), options)
            assert f"{fingerprint(revoked)}) is marked @revoked in" in error.message

    def test_the_certificate_must_contain_the_host_key_alias(
        self, vouched: Server, tmp_path: Path, ssh_config: Write
    ) -> None:
        authority = make_key(tmp_path / "ca")
        sign(authority, vouched.folder / "host_key", "-h", names="chat1.example.com")
        line = f"@cert-authority *.example.com {authority.with_suffix('.pub').read_text()}"
        ssh_config("HostKeyAlias chat1.example.com\n")
        assert ask(vouched.connection(), self.known(tmp_path, line))["final"] is True


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A host certificate for chat1."""
    folder = tmp_path_factory.mktemp("certificate")
    key = make_key(folder / "key")
    blob = keys.public_blob(str(sign(make_key(folder / "ca"), key, "-h", names="chat1")))
    assert blob is not None
    return blob


def test_parse_returns_the_certified_key(tmp_path: Path) -> None:
    for kind in KINDS:
        key = make_key(tmp_path / kind, kind)
        blob = keys.public_blob(str(sign(key, key)))
        assert blob is not None
        assert certificate.parse(blob).key == keys.public_blob(f"{key}.pub")


def test_every_changed_bit_is_detected(signed: bytes) -> None:
    certificate.check_host(certificate.parse(signed), "chat1", time.time())
    for bit in range(8 * len(signed)):
        damaged = bytearray(signed)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CertificateError):
            certificate.check_host(certificate.parse(bytes(damaged)), "chat1", time.time())


@given(st.binary(max_size=200))
def test_random_bytes_are_not_a_certificate(blob: bytes) -> None:
    with pytest.raises(CertificateError):
        certificate.parse(blob)


def test_a_signature_of_another_authority_is_wrong(signed: bytes) -> None:
    found = certificate.parse(signed)
    forged = certificate.parse(signed.replace(found.authority, found.key))
    assert forged.authority == found.key
    with pytest.raises(CertificateError, match="signature is wrong"):
        certificate.check_host(forged, "chat1", time.time())


def test_the_size_of_rsa_keys(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", "rsa-2048")
    plain = keys.public_blob(f"{key}.pub")
    certified = keys.public_blob(str(sign(key, key)))
    assert plain is not None
    assert certified is not None
    assert certificate.rsa_bits(plain) == certificate.rsa_bits(certified) == 2048
    assert certificate.rsa_bits(plain + b"more") == 2048, "additional data does not hide the size"
    assert certificate.rsa_bits(plain[:-1]) is None
    other = keys.public_blob(f"{make_key(tmp_path / 'other')}.pub")
    assert other is not None
    assert certificate.rsa_bits(other) is None


def test_a_certificate_of_a_security_key() -> None:
    """cryptography does not load it; the ssh agent may offer it."""
    text, application = b"sk-ssh-ed25519-cert-v01@openssh.com", b"ssh:"
    fields = [text, b"nonce", b"k" * 32, application]
    rest = [b"id", b"", b"", b"", b"", b"authority", b"\0\0\0\x0bssh-ed25519\0\0\0\1s"]

    def strings(parts: list[bytes]) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    blob = strings(fields) + bytes(12) + strings(rest[:2]) + bytes(16) + strings(rest[2:])
    found = certificate.parse(blob)
    assert found.key == strings([b"sk-ssh-ed25519@openssh.com", b"k" * 32, application])
    assert (found.authority, found.signed_with) == (b"authority", "ssh-ed25519")
    with pytest.raises(CertificateError):
        certificate.check_host(found, "chat1", time.time())

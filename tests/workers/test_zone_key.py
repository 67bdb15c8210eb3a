from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from scimconf.errors import UsageError
from scimconf.workers.zone_key import NotOpenedError, open_box, private_key, public_key, seal


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The private key; dmz.pub is beside it."""
    file = tmp_path / "dmz.key"
    _openssl("genpkey", "-algorithm", "X25519", "-out", str(file))
    _openssl("pkey", "-in", str(file), "-pubout", "-out", str(tmp_path / "dmz.pub"))
    return file


def test_what_is_sealed_with_the_public_key_opens_with_the_private_key(key: Path) -> None:
    box, ours = seal(b"message", public_key(key.parent, "dmz"), b"bound")
    assert b"message" not in box
    data, theirs = open_box(box, private_key(str(key)), b"bound")
    assert data == b"message"
    answer = theirs.seal(b"answer", b"bound")
    assert ours.open(answer, b"bound") == b"answer"
    for wrong in (answer[:-1], answer[:5], b"", answer[:-1] + bytes([answer[-1] ^ 1])):
        with pytest.raises(NotOpenedError):
            ours.open(wrong, b"bound")
    with pytest.raises(NotOpenedError):
        ours.open(answer, b"other")


def test_each_message_has_a_key_of_its_own(key: Path) -> None:
    zone = public_key(key.parent, "dmz")
    (one, ours), (two, _) = seal(b"m", zone, b""), seal(b"m", zone, b"")
    assert one != two
    _, theirs = open_box(two, private_key(str(key)), b"")
    with pytest.raises(NotOpenedError):
        ours.open(theirs.seal(b"answer", b""), b"")


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(32), bytes(100)])
def test_a_message_that_is_none_does_not_open(wrong: bytes) -> None:
    with pytest.raises(NotOpenedError):
        open_box(wrong, X25519PrivateKey.generate(), b"")


def test_a_changed_message_does_not_open(key: Path) -> None:
    box, _ = seal(b"message", public_key(key.parent, "dmz"), b"bound")
    for place in (0, 31, 32, len(box) - 1):
        changed = bytearray(box)
        changed[place] ^= 1
        with pytest.raises(NotOpenedError):
            open_box(bytes(changed), private_key(str(key)), b"bound")


def test_a_public_key_that_cannot_be_used(key: Path) -> None:
    folder = key.parent
    with pytest.raises(UsageError, match=r"cannot read .*/no\.pub: No such file"):
        public_key(folder, "no")
    (folder / "text.pub").write_text("text")
    with pytest.raises(UsageError, match="not a public key in PEM format"):
        public_key(folder, "text")
    _openssl("genpkey", "-algorithm", "ED25519", "-out", str(folder / "other.key"))
    _openssl("pkey", "-in", f"{folder}/other.key", "-pubout", "-out", f"{folder}/other.pub")
    with pytest.raises(UsageError, match="not an X25519 key"):
        public_key(folder, "other")
    with pytest.raises(UsageError, match="not an X25519 key"):
        private_key(str(folder / "other.key"))


def test_a_private_key_that_cannot_be_used(key: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        private_key(str(key.parent / "no.key"))
    with pytest.raises(UsageError, match="not a private key"):
        private_key(str(_protected(key.parent / "dmz.pub")))
    key.chmod(0o640)
    with pytest.raises(UsageError, match="other users can read") as error:
        private_key(str(key))
    assert error.value.hint == f"protect it: chmod 600 {key}"
    locked = key.parent / "locked.key"
    _openssl("genpkey", "-algorithm", "X25519", "-aes256", "-pass", "pass:a", "-out", str(locked))
    with pytest.raises(UsageError, match="without a password"):
        private_key(str(_protected(locked)))


def _protected(file: Path) -> Path:
    file.chmod(0o600)
    return file

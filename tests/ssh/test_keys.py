"""Private keys as ssh-keygen writes them."""

from __future__ import annotations

import os
import subprocess
from itertools import product
from pathlib import Path

import pytest

from scimconf.secret import Secret
from scimconf.ssh import keys
from scimconf.ssh.keys import UnusableKeyError
from tests.matrix import sample
from tests.ssh.server import make_key

KINDS = ("ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048")


@pytest.mark.parametrize("passphrase", ["", "open sesame"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
@pytest.mark.parametrize("kind", sample(KINDS, "ed25519"))
def test_every_kind_and_format(tmp_path: Path, kind: str, form: str, passphrase: str) -> None:
    key = make_key(tmp_path / "key", kind, passphrase)
    change = ["ssh-keygen", "-q", "-p", "-P", passphrase, "-N", passphrase, "-m", form, "-f", key]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
    loaded = keys.load(str(key), Secret(passphrase) if passphrase else None)
    assert loaded.asbytes() == keys.public_blob(f"{key}.pub")
    assert loaded.can_sign()


@pytest.mark.parametrize("comment", ["", "größé", *("x" * length for length in range(1, 9))])
@pytest.mark.parametrize("kind", ["ecdsa-256", "ed25519"])
def test_every_length_of_comment(tmp_path: Path, kind: str, comment: str) -> None:
    # paramiko mistakes the end of a file without padding for padding, and finds no key.
    key = make_key(tmp_path / "key", kind)
    subprocess.run(["ssh-keygen", "-q", "-c", "-C", comment, "-f", key], check=True)
    assert keys.load(str(key), None).asbytes() == keys.public_blob(f"{key}.pub")


def _armoured(path: Path, kind: str, form: str) -> bytes:
    """Return the text of a new private key."""
    key = make_key(path, kind)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "", "-m", form, "-f", key]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
    return key.read_bytes()


BAG = (
    b"Bag Attributes\n    localKeyID: 01\n    friendlyName: ops\nKey Attributes: <No Attributes>\n"
)
PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
AROUND = {
    "as it is": lambda text: text,
    "bag attributes before": lambda text: BAG + text,
    "a comment before": lambda text: b"# key of the fleet\n\n" + text,
    "another block before": lambda text: PARAMETERS + text,
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "a space before": lambda text: b" " + text,
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "spaces at line ends": lambda text: text.replace(b"\n", b"  \n"),
    "text behind": lambda text: text + b"\nssh-ed25519 AAAA me@here\n",
    "a second key behind": lambda text: text + text,
    "no line end at the end": lambda text: text.rstrip(b"\n"),
    "no end": lambda text: text[:-40],
    "empty lines before": lambda text: b"\n\n" + text,
}
"""What people's tools leave around a key, and how they damage one."""


@pytest.mark.parametrize(
    ("kind", "form"),
    sample(
        product(["ed25519", "ecdsa-256", "rsa-2048"], ["RFC4716", "PEM", "PKCS8"]),
        *(("ed25519", "RFC4716"), ("ecdsa-256", "PKCS8"), ("rsa-2048", "PEM")),
    ),
)
def test_each_key_that_ssh_reads_is_read(tmp_path: Path, kind: str, form: str) -> None:
    text = _armoured(tmp_path / "key", kind, form)
    right = keys.public_blob(f"{tmp_path}/key.pub")
    for name, change in AROUND.items():
        changed = tmp_path / name.replace(" ", "-")
        changed.write_bytes(change(text))
        changed.chmod(0o600)
        ssh = subprocess.run(
            ["ssh-keygen", "-y", "-P", "", "-f", changed], capture_output=True, check=False
        )
        try:
            found = keys.load(str(changed), None).asbytes()
        except UnusableKeyError:
            found = None
        if ssh.returncode == 0:
            assert found == right, name
        elif not text.startswith(keys._OPENSSH):
            assert found is None, name
        else:  # ssh wants its own format alone in the file, with Unix line ends
            assert found in (right, None), name


def test_a_key_without_an_end_is_damaged(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    key.write_bytes(key.read_bytes()[:-40])
    with pytest.raises(UnusableKeyError, match="it is damaged"):
        keys.load(str(key), None)


def test_an_encrypted_key_behind_other_text(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", "rsa-2048", "open sesame")
    change = ["ssh-keygen", "-q", "-p", "-P", "open sesame", "-N", "open sesame", "-m", "PEM"]
    subprocess.run([*change, "-f", key], check=True, stdout=subprocess.DEVNULL)
    assert b"Proc-Type: 4,ENCRYPTED" in key.read_bytes()
    key.write_bytes(BAG + key.read_bytes().replace(b"\n", b"\r\n"))
    loaded = keys.load(str(key), Secret("open sesame"))
    assert loaded.asbytes() == keys.public_blob(f"{key}.pub")


def test_a_security_key_needs_the_ssh_agent(tmp_path: Path) -> None:
    key = tmp_path / "key"
    # The beginning of a file that ssh-keygen -t ed25519-sk writes.
    key.write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAASgAAABpzay1zc2gtZW\n"
        "QyNTUxOUBvcGVuc3NoLmNvbQAAACC\n"
        "-----END OPENSSH PRIVATE KEY-----\n"
    )
    with pytest.raises(UnusableKeyError, match="load it into the ssh agent"):
        keys.load(str(key), None)


def test_a_dsa_key_is_not_supported(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed448", "-out", tmp_path / "key"], check=True
    )
    with pytest.raises(UnusableKeyError, match="its type is not supported"):
        keys.load(str(tmp_path / "key"), None)


def test_an_opened_key_is_kept(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", passphrase="open sesame")
    one = keys.load(str(key), Secret("open sesame"))
    assert keys.load(str(key), Secret("open sesame")) is one


@pytest.mark.parametrize("what", ["device", "pipe", "folder", "link to a device"])
def test_a_file_that_is_not_regular_is_not_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / "key"
    match what:
        case "device":
            path = Path("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("/dev/zero")
    words = "it is a folder" if what == "folder" else "it is not a regular file"
    with pytest.raises(UnusableKeyError, match=words):
        keys.load(str(path), None)
    assert keys.public_blob(str(path)) is None


def test_a_link_to_a_key_is_followed(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    (tmp_path / "link").symlink_to(key)
    assert keys.load(str(tmp_path / "link"), None).asbytes() == keys.public_blob(f"{key}.pub")


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    os.truncate(key, 65536)
    keys.load(str(key), None)
    os.truncate(key, 65537)
    with pytest.raises(UnusableKeyError, match="it is larger than 64 KiB"):
        keys.load(str(key), None)
    os.truncate(f"{key}.pub", 65537)
    assert keys.public_blob(f"{key}.pub") is None


def test_an_invalid_file_name() -> None:
    with pytest.raises(UnusableKeyError, match="not a valid file name"):
        keys.load("a\0b", None)
    assert keys.public_blob("a\0b") is None

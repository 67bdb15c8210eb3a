"""Ansible Vault: one text encrypted under a password, format 1.1, or 1.2 with an id.

The rules are those of ansible's parsing/vault/__init__.py (VaultAES256): PBKDF2-HMAC-SHA256 with
10,000 rounds gives two keys and a counter start, AES-256-CTR hides the padded text, HMAC-SHA256
over the ciphertext is checked before anything is decrypted. A key costs some 12 ms.
"""

from __future__ import annotations

import os
import re
import subprocess
from binascii import Error as HexError
from binascii import hexlify, unhexlify
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from scimconf.errors import UsageError
from scimconf.secret import Secret

DEFAULT_ID = "default"

_ROUNDS = 10_000
_SALT_BYTES = 32
_LINE = 80
_VAULT_ID = re.compile(r"[^;\s]+")
_MAX_PASSWORD_BYTES = 64 * 1024
_CLIENT_KNOWS_NO_SUCH_ID = 2
"""Ansible's ClientScriptVaultSecret.VAULT_ID_UNKNOWN_RC."""


def encrypt(plaintext: Secret, password: Secret, vault_id: str | None = None) -> str:
    """Give the vault text of `plaintext`: 1.2 with the id where one is given, else 1.1.

    Lines of 80 characters, ended by a line feed. Raises UsageError for an empty password or an
    id that the format cannot carry.
    """
    if not password:
        raise UsageError("the vault password is empty")
    header = "$ANSIBLE_VAULT;1.1;AES256"
    if vault_id is not None and vault_id != DEFAULT_ID:
        if not _VAULT_ID.fullmatch(vault_id):
            raise UsageError(f"{vault_id!r} cannot be a vault id: no blanks and no semicolons")
        header = f"$ANSIBLE_VAULT;1.2;AES256;{vault_id}"
    salt = os.urandom(_SALT_BYTES)
    cipher_key, mac_key, counter = _keys(password, salt)
    padder = PKCS7(AES.block_size).padder()
    padded = padder.update(plaintext.reveal().encode()) + padder.finalize()
    encryptor = Cipher(AES(cipher_key), CTR(counter)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    parts = (salt, _hmac(mac_key, ciphertext).finalize(), ciphertext)
    body = hexlify(b"\n".join(hexlify(part) for part in parts)).decode()
    lines = [body[at : at + _LINE] for at in range(0, len(body), _LINE)]
    return "\n".join([header, *lines, ""])


def decrypt(ciphertext: str, passwords: Mapping[str, Secret]) -> Secret:
    """Open a vault text with the password of its id, else with any of the others, as Ansible does.

    `passwords` goes by vault id. Raises UsageError, without a word of the content, for a text
    that is not well formed or that none of the passwords opens.
    """
    vault_id, body = _split(ciphertext)
    salt, mac, hidden = _parts(body)
    if not passwords:
        raise UsageError(
            "a vault value needs a password and none was given",
            "give --vault-password-file FILE or --ask-vault-pass",
        )
    for name in sorted(passwords, key=lambda name: name != vault_id):
        cipher_key, mac_key, counter = _keys(passwords[name], salt)
        try:
            _hmac(mac_key, hidden).verify(mac)
        except InvalidSignature:
            continue
        return _open(cipher_key, counter, hidden)
    tried = ", ".join(sorted(passwords))
    raise UsageError(
        f"no vault password opens this value (its id is {vault_id}; tried: {tried})",
        "it was encrypted with another password, or it has been damaged",
    )


def identity(ciphertext: str) -> bytes | None:
    """Return what makes two vault texts the same value: the salt and the hidden bytes.

    The header, the case of the digits and the line breaks can be changed without the password, so
    they do not count. None for a text that is not well formed.
    """
    try:
        salt, _, hidden = _parts(_split(ciphertext)[1])
    except UsageError:
        return None
    return salt + hidden


def id_of(ciphertext: str) -> str:
    """Give the vault id that a vault text carries, whether or not the rest of it is well formed."""
    found = re.match(r"\s*\$ANSIBLE_VAULT;1\.2;[^;\s]*;([^;\s]+)", ciphertext)
    return found[1] if found else DEFAULT_ID


def read_password_file(path: Path, vault_id: str = DEFAULT_ID) -> Secret:
    """Give the password that the file holds, or that it prints where it is executable.

    As Ansible's --vault-id and --vault-password-file: a program is started without a shell and
    without arguments, or with `--vault-id ID` where its name ends in -client; blanks and line ends
    around the password are cut off. Raises UsageError.
    """
    try:
        if path.is_file() and os.access(path, os.X_OK):
            output = _run(path, vault_id)
        else:
            with path.open("rb") as file:
                output = file.read(_MAX_PASSWORD_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise UsageError(f"cannot read the vault password file {path}: {reason}") from None
    if len(output) > _MAX_PASSWORD_BYTES:
        raise UsageError(f"the vault password file {path} is far too large to be one")
    try:
        password = output.strip().decode()
    except UnicodeDecodeError:
        raise UsageError(f"the vault password file {path} is not UTF-8 text") from None
    if not password:
        raise UsageError(f"the vault password file {path} gives no password")
    if password.startswith("$ANSIBLE_VAULT;"):
        raise UsageError(f"the vault password file {path} is encrypted itself")
    return Secret(password)


def _run(path: Path, vault_id: str) -> bytes:
    is_client = path.stem.endswith("-client")
    words = [str(path.absolute()), *(("--vault-id", vault_id) if is_client else ())]
    # What it says on stderr is for the operator ("touch your key"); stdin is theirs as well.
    done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    if is_client and done.returncode == _CLIENT_KNOWS_NO_SUCH_ID:
        raise UsageError(f"the vault password program {path} knows no vault id {vault_id}")
    if done.returncode:
        raise UsageError(f"the vault password program {path} ended with {done.returncode}")
    return done.stdout


def _keys(password: Secret, salt: bytes) -> tuple[bytes, bytes, bytes]:
    kdf = PBKDF2HMAC(SHA256(), length=80, salt=salt, iterations=_ROUNDS)
    derived = kdf.derive(password.reveal().encode())
    return derived[:32], derived[32:64], derived[64:]


def _hmac(key: bytes, data: bytes) -> HMAC:
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac


def _split(text: str) -> tuple[str, str]:
    lines = text.strip().splitlines()
    fields = lines[0].strip().split(";") if lines else [""]
    if fields[0] != "$ANSIBLE_VAULT":
        raise UsageError("this is not a vault value: it does not begin with $ANSIBLE_VAULT")
    if len(fields) < 3 or fields[1] not in ("1.1", "1.2") or fields[2] != "AES256":
        raise UsageError(f"the vault format {';'.join(fields[1:])[:40]!r} is not known")
    vault_id = fields[3] if fields[1] == "1.2" and len(fields) > 3 else DEFAULT_ID
    return vault_id, "".join(line.strip() for line in lines[1:])


def _parts(body: str) -> tuple[bytes, bytes, bytes]:
    try:
        salt, mac, hidden = (unhexlify(part) for part in unhexlify(body).split(b"\n", 2))
    except (HexError, ValueError):
        raise UsageError(
            "the vault value is damaged: its lines are not what Vault writes"
        ) from None
    return salt, mac, hidden


def _open(key: bytes, counter: bytes, hidden: bytes) -> Secret:
    decryptor = Cipher(AES(key), CTR(counter)).decryptor()
    padded = decryptor.update(hidden) + decryptor.finalize()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        return Secret((unpadder.update(padded) + unpadder.finalize()).decode())
    except ValueError:
        raise UsageError("the vault value holds no text") from None

"""Encrypt and decrypt Ansible Vault values, format 1.1, or 1.2 with a vault id.

The rules are those of ansible's parsing/vault/__init__.py (VaultAES256). PBKDF2-HMAC-SHA256 with
10,000 rounds derives two keys and the start of the counter. AES-256-CTR encrypts the padded text.
HMAC-SHA256 over the ciphertext is verified before decryption. Deriving the keys takes about 12 ms.
"""

from __future__ import annotations

import os
import re
import shlex
from binascii import Error as HexError
from binascii import hexlify, unhexlify
from collections.abc import Callable, Mapping

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


class Password(Secret):
    """A vault password that knows where it comes from."""

    __slots__ = ("source",)

    def __init__(self, password: Secret, source: str) -> None:
        """`source` is for messages: a file, the name of a variable, or the terminal."""
        super().__init__(password.reveal())
        self.source = source


class NoPasswordError(UsageError):
    """No vault password was given."""


class WrongPasswordError(UsageError):
    """None of the given passwords decrypts a value."""


def encrypt(plaintext: Secret, password: Secret, vault_id: str | None = None) -> str:
    """Return the vault text of `plaintext`: format 1.2 with a vault id, else 1.1.

    Its lines have 80 characters and end with a line feed. Raises UsageError for an empty password
    and for an id that the format does not allow.
    """
    if not password:
        raise UsageError("the vault password is empty")
    header = "$ANSIBLE_VAULT;1.1;AES256"
    if vault_id is not None and vault_id != DEFAULT_ID:
        if not _VAULT_ID.fullmatch(vault_id):
            raise UsageError(
                f"{vault_id!r} is not a valid vault id: it must have no spaces and no semicolons"
            )
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
    """Decrypt a vault text with the password of its vault id, else with any other, as Ansible does.

    `passwords` maps vault ids to passwords. Raises UsageError, without quoting the content, for a
    malformed text and for a text that no password decrypts; NoPasswordError without any password.
    """
    return decrypt_with_key(ciphertext, passwords)[0]


def decrypt_with_key(ciphertext: str, passwords: Mapping[str, Secret]) -> tuple[Secret, bytes]:
    """Decrypt as `decrypt` does. Also return a secret key that belongs to this ciphertext."""
    vault_id, body = _split(ciphertext)
    salt, mac, content = _parts(body)
    if not passwords:
        raise NoPasswordError(
            "a vault value needs a password, but none was given",
            "use --vault-password-file FILE or --ask-vault-pass"
            if vault_id == DEFAULT_ID
            else f"use --vault-id {shlex.quote(f'{vault_id}@FILE')}",
        )
    for name in sorted(passwords, key=lambda name: name != vault_id):
        cipher_key, mac_key, counter = _keys(passwords[name], salt)
        try:
            _hmac(mac_key, content).verify(mac)
        except InvalidSignature:
            continue
        key = _hmac(mac_key, b"scimconf").finalize()
        return _open(cipher_key, counter, content), key
    tried = tried_passwords(passwords)
    raise WrongPasswordError(
        f"wrong vault password: none of the given ones decrypts this value (its vault id is "
        f"{vault_id}; tried: {tried})",
        "it was encrypted with another password, or it is damaged"
        if vault_id in passwords or vault_id == DEFAULT_ID
        else f"add the password of this vault id: --vault-id {shlex.quote(f'{vault_id}@FILE')}",
    )


def tried_passwords(passwords: Mapping[str, Secret]) -> str:
    """Return the vault ids of the passwords that were tried, with their sources."""
    return ", ".join(
        f"{name} from {each.source}" if isinstance(each, Password) else name
        for name, each in sorted(passwords.items())
    )


def open_line(ciphertext: str, passwords: Mapping[str, Secret], where: str = "") -> Secret:
    """Decrypt a value that has one line: a password, a passphrase or a token.

    A line break at its end is left out, as in `one_line`. Raises UsageError that begins with the
    place `where`.
    """
    return _placed(lambda: one_line(decrypt(ciphertext, passwords)), where)


def open_whole(ciphertext: str, passwords: Mapping[str, Secret], where: str) -> Secret:
    """Decrypt a value. Raises UsageError that begins with the place `where`."""
    return _placed(lambda: decrypt(ciphertext, passwords), where)


def _placed(opened: Callable[[], Secret], where: str) -> Secret:
    try:
        return opened()
    except UsageError as error:
        place = f"{where}: " if where else ""
        raise UsageError(f"{place}{error.message}", error.hint) from None


def trimmed(value: Secret) -> Secret:
    """Return a value without one line break at its end."""
    return Secret(value.reveal().removesuffix("\n").removesuffix("\r"))


def one_line(value: Secret) -> Secret:
    """Return a password or token without the line break at its end, which `echo` leaves there.

    Raises UsageError if it contains others.
    """
    line = trimmed(value)
    if {"\n", "\r"} & set(line.reveal()):
        raise UsageError(
            "this value has more than one line, but a password or token has only one",
            "write it again in one line; for a vault value: ansible-vault encrypt_string",
        )
    return value if len(line) == len(value) else line


def without_spaces(password: Secret) -> Secret:
    """Return a typed password without ASCII white space around it, as Ansible (PromptVaultSecret).

    Other spaces, such as a no-break space, are part of the password.
    """
    data = password.reveal().encode(errors="surrogateescape").strip()
    return Secret(data.decode(errors="surrogateescape"))


def identity(ciphertext: str) -> bytes | None:
    """Return the bytes that identify a vault value: the salt and the ciphertext.

    The header, the case of the digits and the line breaks can be changed without the password, so
    they are left out. Returns None for a malformed text.
    """
    try:
        salt, _, content = _parts(_split(ciphertext)[1])
    except UsageError:
        return None
    return salt + content


def id_of(ciphertext: str) -> str:
    """Return the vault id in the header of a vault text, which may be malformed otherwise."""
    found = re.match(r"\s*\$ANSIBLE_VAULT;1\.2;[^;\s]*;([^;\s]+)", ciphertext)
    return found[1] if found else DEFAULT_ID


def _keys(password: Secret, salt: bytes) -> tuple[bytes, bytes, bytes]:
    kdf = PBKDF2HMAC(SHA256(), length=80, salt=salt, iterations=_ROUNDS)
    derived = kdf.derive(password.reveal().encode(errors="surrogateescape"))
    return derived[:32], derived[32:64], derived[64:]


def _hmac(key: bytes, data: bytes) -> HMAC:
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac


def _split(text: str) -> tuple[str, str]:
    lines = text.strip().splitlines()
    fields = lines[0].strip().split(";") if lines else [""]
    if fields[0] != "$ANSIBLE_VAULT":
        raise UsageError("this is not a vault value: it does not start with $ANSIBLE_VAULT")
    if len(fields) < 3 or fields[1] not in ("1.1", "1.2") or fields[2] != "AES256":
        raise UsageError(f"unknown vault format {';'.join(fields[1:])[:40]!r}")
    vault_id = fields[3] if fields[1] == "1.2" and len(fields) > 3 else DEFAULT_ID
    return vault_id, "".join(line.strip() for line in lines[1:])


def _parts(body: str) -> tuple[bytes, bytes, bytes]:
    try:
        salt, mac, content = (unhexlify(part) for part in unhexlify(body).split(b"\n", 2))
    except (HexError, ValueError):
        raise UsageError("the vault value is damaged: its lines are not valid") from None
    return salt, mac, content


def _open(key: bytes, counter: bytes, content: bytes) -> Secret:
    decryptor = Cipher(AES(key), CTR(counter)).decryptor()
    padded = decryptor.update(content) + decryptor.finalize()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        return Secret((unpadder.update(padded) + unpadder.finalize()).decode())
    except ValueError:
        raise UsageError("the vault value does not contain UTF-8 text") from None

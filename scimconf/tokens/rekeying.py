"""Encrypt the tokens of a token file with another vault password."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from scimconf import files, vault
from scimconf.errors import InventoryError, UsageError
from scimconf.secret import Secret
from scimconf.tokens.entries import TOP, Entry, Key, Record, Removed, entries_of
from scimconf.tokens.layout import with_tokens
from scimconf.tokens.store import TokenFile
from scimconf.tokens.unlock import tokens_of, unlock
from scimconf.yamlfile import KeyPath, parse


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """The result of `rekey`."""

    changed: int
    """How many tokens have the new password."""
    left: Mapping[str, int]
    """Vault id -> how many tokens of it no given password decrypts. They are unchanged."""


def rekey(
    path: Path, passwords: Mapping[str, Secret], new: Secret, vault_id: str = vault.DEFAULT_ID
) -> Rekeyed:
    """Encrypt every token that one of the passwords decrypts with the password `new`, durably.

    Staged, previous and removed tokens are included. All other lines of the file stay, comments
    too. Tokens of another vault id, for which no password is given, stay as they are. Before the
    file is replaced, each new value is decrypted again.

    Raises UsageError, and leaves the file unchanged, if a token does not belong to its place, if
    the password of its vault id is given but wrong, or if all tokens have the new password already.
    """
    real = path.resolve()  # a link stays a link
    with files.locked(real):
        now = TokenFile.load(path)
        found = [
            (key, way, entry)
            for key, record in now.records.items()
            for way, entry in tokens_of(key, record)
        ]

        def opened(each: tuple[Key, KeyPath, Entry]) -> Secret | None:
            key, way, entry = each
            try:
                return unlock(key, entry, passwords, now.document.position(way))
            except UsageError:
                # Another team's token, if no password was given for it. Its id says whose.
                if vault.id_of(entry.ciphertext or "") in passwords:
                    raise
                return None

        # Deriving the keys is slow and releases the GIL.
        with ThreadPoolExecutor() as pool:
            tokens = list(pool.map(opened, found))
            pairs = list(zip(found, tokens, strict=True))
            ours = [(way, token) for (_, way, _), token in pairs if token]
            left = _count(entry for (_, _, entry), token in pairs if token is None)
            _check(path, passwords, len(ours), left, vault_id)
            ciphertexts = [entry.ciphertext or "" for (_, _, entry), token in pairs if token]
            if new in passwords.values() and all(
                pool.map(lambda each: _is_done(each, new, vault_id), ciphertexts)
            ):
                raise UsageError(
                    f"the tokens of {path} have this password already, so nothing was changed",
                    "give another one as the new password",
                )
            texts = dict(pool.map(lambda each: (each[0], _encrypted(each[1], new, vault_id)), ours))
        text = with_tokens(now.document, texts)
        wanted = {key: _with(record, key, texts) for key, record in now.records.items()}
        try:
            written = entries_of(parse(text, str(path)))
        except InventoryError:
            written = {}
        if written != wanted:
            raise UsageError(
                f"scimconf cannot edit the layout of {path}",
                "put each deployment, realm and field on a line of its own, without {} and *",
            )
        files.write_atomically(real, text)
    return Rekeyed(len(ours), left)


def _is_done(ciphertext: str, new: Secret, vault_id: str) -> bool:
    """Return whether a token is encrypted with the new password and vault id already."""
    if vault.id_of(ciphertext) != vault_id:
        return False
    try:
        vault.decrypt(ciphertext, {vault_id: new})
    except UsageError:
        return False
    return True


def _encrypted(token: Secret, new: Secret, vault_id: str) -> str:
    """Return the new vault text. Raises UsageError if the new password does not open it again."""
    text = vault.encrypt(token, new, vault_id)
    if vault.decrypt(text, {vault_id: new}) != token:
        raise UsageError("a token was not the same after it was encrypted; nothing was written")
    return text


def _count(entries: Iterable[Entry]) -> dict[str, int]:
    return dict(Counter(vault.id_of(entry.ciphertext or "") for entry in entries))


def _check(
    path: Path,
    passwords: Mapping[str, Secret],
    ours: int,
    left: Mapping[str, int],
    vault_id: str,
) -> None:
    """Raise UsageError if nothing can be changed, or if one id would have two passwords."""
    ids = ", ".join(sorted(left))
    if not ours and not left:
        raise UsageError(f"{path} has no token", "the first apply of a server creates its tokens")
    if not ours:
        raise UsageError(
            f"no given vault password decrypts a token of {path} (tried: "
            f"{vault.tried_passwords(passwords)}; its tokens have the vault id {ids})",
            "name the present password: --vault-id ID@FILE or --vault-password-file FILE",
        )
    if vault_id in left:
        raise UsageError(
            f"{left[vault_id]} other tokens of {path} have the vault id {vault_id!r} and another "
            "password",
            "give their password too, or use another id: --new-vault-id ID@FILE",
        )


def _with(record: Record, key: Key, texts: Mapping[KeyPath, str]) -> Record:
    """Return the record with the new vault texts."""
    if isinstance(record, Removed):
        return replace(record, entry=record.entry and _entry(record.entry, (TOP, *key), texts))
    return _entry(record, (TOP, *key), texts)


def _entry(entry: Entry, way: KeyPath, texts: Mapping[KeyPath, str]) -> Entry:
    return replace(
        entry,
        ciphertext=texts.get((*way, "token"), entry.ciphertext),
        next=entry.next and _entry(entry.next, (*way, "next"), texts),
        previous=entry.previous and _entry(entry.previous, (*way, "previous"), texts),
    )

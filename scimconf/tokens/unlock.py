"""Decrypt a token of the token file, and check that it belongs to its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.model import Position
from scimconf.secret import Secret
from scimconf.tokens.entries import TOP, Entry, Key, Record, bound
from scimconf.tokens.fingerprint import matches
from scimconf.yamlfile import KeyPath


def unlock(key: Key, entry: Entry, passwords: Mapping[str, Secret], where: Position) -> Secret:
    """Return the token of an entry that has one.

    Raises UsageError, with file:line:col, if no password decrypts it, or if it does not match its
    fingerprint for this place and date.
    """
    try:
        token = vault.decrypt(entry.ciphertext or "", passwords)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from None
    if not matches(token, bound(key, entry)):
        raise UsageError(
            f"{where}: this token does not belong here: its fingerprint is that of another "
            "token, deployment, realm or date. The entry was copied, moved or edited",
            "restore the entry from version control",
        )
    return token


def tokens_of(key: Key, record: Record) -> Iterator[tuple[KeyPath, Entry]]:
    """Yield every token of a record that the file has, with its keys in the file.

    Staged, previous and removed ones are included.
    """
    entry = record if isinstance(record, Entry) else record.entry
    if entry:
        yield from _tokens((TOP, *key), entry)


def _tokens(way: KeyPath, entry: Entry) -> Iterator[tuple[KeyPath, Entry]]:
    if entry.ciphertext is not None:
        yield (*way, "token"), entry
    for name, other in (("next", entry.next), ("previous", entry.previous)):
        if other:
            yield from _tokens((*way, name), other)

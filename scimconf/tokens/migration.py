"""Migrate a token file from format 1 to format 2, which binds each token to its place and date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scimconf import files, vault
from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.tokens.entries import (
    END,
    FORMAT,
    TOP,
    VERSION,
    Entry,
    Key,
    Record,
    Removed,
    entries_of,
)
from scimconf.tokens.fingerprint import fingerprint, matches_unbound, place_of
from scimconf.tokens.layout import edit, without
from scimconf.yamlfile import Document, load, parse


def migrate(path: Path, passwords: Mapping[str, Secret]) -> list[Key]:
    """Rewrite a token file of format 1 in format 2. Keep its comments.

    Decrypt every token and compute its new fingerprint from the token itself. Leave out tokens that
    are kept elsewhere and return their entries: `apply` records them again.

    Raises InventoryError for a file that does not have format 1, and UsageError for a token that
    cannot be decrypted or does not match its fingerprint. The file is then unchanged.
    """
    try:
        real = path.resolve(strict=True)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    with files.locked(real):
        document = load(path)
        records = entries_of(document, version=1)
        migrated = {
            key: _migrated(key, record, passwords, document) for key, record in records.items()
        }
        wanted = {key: record for key, record in migrated.items() if record}
        elsewhere = [key for key in records if key not in wanted]
        text = edit(parse(without(document, elsewhere), str(path)), wanted)
        text = f"{_with_version(text).rstrip()}\n{END}\n"
        if entries_of(parse(text, str(path))) != wanted:
            raise UsageError(
                f"scimconf cannot edit the layout of {path}",
                "put each deployment, realm and field on a line of its own, without {}",
            )
        files.write_atomically(real, text)
    return elsewhere


def _with_version(text: str) -> str:
    lines = text.splitlines(keepends=True)
    top = next(number for number, line in enumerate(lines) if line.startswith(f"{TOP}:"))
    return "".join([*lines[:top], f"{VERSION}: {FORMAT}\n", *lines[top:]])


def _migrated(
    key: Key, record: Record, passwords: Mapping[str, Secret], document: Document
) -> Record | None:
    if not isinstance(record, Entry):
        return record
    where = str(document.position((TOP, *key)))
    if record.ciphertext is not None:
        return _bound(key, record, passwords, where)
    if record.previous is None:
        return None
    # Kept elsewhere now. A server may still have the token before it.
    before = _bound(key, replace(record.previous, retired=""), passwords, where)
    return Removed(record.previous.retired, before)


def _bound(key: Key, entry: Entry, passwords: Mapping[str, Secret], where: str) -> Entry:
    """Return the entry and those beside it with fingerprints that are bound to their place."""
    try:
        token = vault.decrypt(entry.ciphertext or "", passwords)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from None
    if not matches_unbound(token, entry.fingerprint):
        raise UsageError(
            f"{where}: the token does not match its fingerprint: one of them was edited",
            "restore the entry from version control",
        )
    # Many rounds: format 1 does not record whether scimconf generated the token.
    return replace(
        entry,
        fingerprint=fingerprint(token, place_of(*key, entry.created)),
        next=entry.next and _bound(key, entry.next, passwords, where),
        previous=entry.previous and _bound(key, entry.previous, passwords, where),
    )

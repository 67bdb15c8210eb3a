"""From format 1 of the token file to format 2, which binds each token to its place and date."""

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
    """Rewrite a token file of format 1 in format 2, durably, comments kept.

    Every token is opened, so that its new fingerprint is made of the token itself. Returns the
    entries of tokens that are kept elsewhere: they are left out, and `apply` records them anew.

    Raises InventoryError for a file that is not one of format 1, and UsageError where a token does
    not open or does not belong to its fingerprint; then the file is as it was.
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
                f"{path} is not laid out in a way that scimconf can add to",
                "each deployment, realm and field has to stand on a line of its own, without {}",
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
    # Kept elsewhere now, but for the token before, which a server may have still.
    before = _bound(key, replace(record.previous, retired=""), passwords, where)
    return Removed(record.previous.retired, before)


def _bound(key: Key, entry: Entry, passwords: Mapping[str, Secret], where: str) -> Entry:
    """Return the entry with a fingerprint that is bound to its place, and those beside it too."""
    try:
        token = vault.decrypt(entry.ciphertext or "", passwords)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from None
    if not matches_unbound(token, entry.fingerprint):
        raise UsageError(
            f"{where}: the token and its fingerprint do not belong together",
            "was one of them edited by hand? Put the entry back from version control",
        )
    # Many rounds: nothing says whether scimconf made it. The next rotation does.
    return replace(
        entry,
        fingerprint=fingerprint(token, place_of(*key, entry.created)),
        next=entry.next and _bound(key, entry.next, passwords, where),
        previous=entry.previous and _bound(key, entry.previous, passwords, where),
    )

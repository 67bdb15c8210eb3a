"""Move entries of the token file to other places: a server, deployment or realm was renamed.

The fingerprint of a token contains its place, so a move needs the vault password: each token is
decrypted, checked at its old place, and gets the fingerprint of its new place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from scimconf import files
from scimconf.errors import InventoryError, UsageError
from scimconf.secret import Secret
from scimconf.tokens.entries import TOP, Entry, Key, Record, Removed, entries_of
from scimconf.tokens.fingerprint import fingerprint, is_of_generated, place_of
from scimconf.tokens.layout import edit, without
from scimconf.tokens.rotation import without_expired
from scimconf.tokens.store import TokenFile
from scimconf.tokens.unlock import unlock
from scimconf.yamlfile import Document, KeyPath, parse


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of a move."""

    file: TokenFile
    left_out: tuple[Key, ...]
    """New places of tokens that are kept elsewhere: `apply` records their fingerprints again."""


def move(path: Path, moves: Mapping[Key, Key], passwords: Mapping[str, Secret]) -> Moved:
    """Move the records from their old places (the keys) to new ones, all or none, durably.

    Staged, previous and removed tokens move along. Raises UsageError, and leaves the file
    unchanged, if an old place has no record, a new place has a token, or a token cannot be
    decrypted.
    """
    real = path.resolve()  # a link stays a link
    with files.locked(real):
        now = TokenFile.load(path)
        moment = datetime.now(timezone.utc)
        new: dict[Key, Record] = {}
        left_out = []
        for old, place in moves.items():
            record = now.records.get(old)
            if record is None:
                raise UsageError(f"{path} has no token of {named(old)}")
            _check_free(now, place, moment)
            record = without_expired(record, moment)
            moved = _moved(record, old, place, passwords, now.document)
            if moved is None:
                left_out.append(place)
            else:
                new[place] = moved
        wanted = {key: each for key, each in now.records.items() if key not in moves} | new
        text = edit(parse(without(now.document, moves), str(path)), new)
        try:
            after = TokenFile(path, entries_of(parse(text, str(path))), text)
        except InventoryError:
            after = now
        if after.records != wanted:
            raise UsageError(
                f"scimconf cannot edit the layout of {path}",
                "put each deployment, realm and field on a line of its own, without {} and *",
            )
        files.write_atomically(real, text)
    return Moved(after, tuple(left_out))


def named(key: Key) -> str:
    """Name a place in a sentence."""
    deployment, realm = key
    return f"realm {realm or '(root)'} of {deployment}"


def _check_free(file: TokenFile, place: Key, moment: datetime) -> None:
    """Raise UsageError if a place has a token that a server may still have."""
    record = file.records.get(place)
    if record is None:
        return
    record = without_expired(record, moment)
    if isinstance(record, Entry):
        raise UsageError(
            f"{file.document.position((TOP, *place))}: {named(place)} has a token already, made "
            f"{record.created}",
            "if it is the wrong one, restore the token file from version control",
        )
    if record.entry:
        raise UsageError(
            f"{file.document.position((TOP, *place))}: the token of {named(place)}, removed "
            f"{record.removed}, is kept for 7 days",
            "move the token after that time",
        )


def _moved(
    record: Record, old: Key, new: Key, passwords: Mapping[str, Secret], document: Document
) -> Record | None:
    """Return the record for its new place; None if it has only the fingerprint of a token."""
    way: KeyPath = (TOP, *old)
    if isinstance(record, Removed):
        inner = record.entry and _moved(record.entry, old, new, passwords, document)
        return replace(record, entry=inner if isinstance(inner, Entry) else None)
    if record.ciphertext is not None:
        return _rebound(record, old, new, passwords, document, way)
    if record.previous is None:
        return None
    # The token is kept elsewhere now, so its fingerprint cannot be computed. A server may still
    # have the previous token.
    before = replace(record.previous, retired="")
    way = (*way, "previous")
    return Removed(record.previous.retired, _rebound(before, old, new, passwords, document, way))


def _rebound(
    entry: Entry,
    old: Key,
    new: Key,
    passwords: Mapping[str, Secret],
    document: Document,
    way: KeyPath,
) -> Entry:
    """Return the entry and those beside it with fingerprints that are bound to the new place."""
    token = unlock(old, entry, passwords, document.position((*way, "token")))
    hashed = fingerprint(
        token, place_of(*new, entry.created), generated=is_of_generated(entry.fingerprint)
    )

    def beside(name: str, other: Entry | None) -> Entry | None:
        return other and _rebound(other, old, new, passwords, document, (*way, name))

    return replace(
        entry,
        fingerprint=hashed,
        next=beside("next", entry.next),
        previous=beside("previous", entry.previous),
    )

"""The token file: each token an Ansible Vault value, its fingerprint and date in clear beside it.

`ansible-vault` opens every value, git shows which realm changed, and a plan needs no password.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from scimconf import files, vault
from scimconf.errors import InventoryError, UsageError
from scimconf.model import Fingerprint, VaultValue
from scimconf.secret import Secret
from scimconf.tokens.entries import (
    TOP,
    VERSION,
    Entry,
    Key,
    Record,
    bound,
    cut_short,
    entries_of,
    is_whole,
)
from scimconf.tokens.fingerprint import fingerprint, matches, place_of
from scimconf.tokens.layout import edit
from scimconf.tokens.rotation import stamp, without_expired
from scimconf.tokens.strength import weakness_of
from scimconf.yamlfile import Document, parse, read_text

__all__ = ["Entry", "Key", "TokenFile", "new_entry", "place"]


def place(asked: Path | None, inventories: Sequence[Path]) -> Path:
    """Give the path of the token file: the one asked for, else beside the first inventory.

    Raises UsageError for a place where Ansible would read it as a source: inside an inventory
    folder, or in group_vars or host_vars.
    """
    first = inventories[0]
    path = asked or first.parent / "tokens.yaml"
    if asked is None and path.is_symlink():
        raise UsageError(
            f"the token file {path} is a link: whoever made it chooses what is read and written",
            f"name the file that is meant: --tokens {shlex.quote(str(path.resolve()))}",
        )
    inside = path.absolute().parent.resolve()
    for inventory in inventories:
        if inventory.is_dir() and inside.is_relative_to(inventory.resolve()):
            raise UsageError(
                f"the token file {path} stands inside the inventory folder {inventory}, "
                "where Ansible would read it as a source",
                "keep it beside the folder",
            )
    if {"group_vars", "host_vars"} & set(inside.parts):
        raise UsageError(
            f"the token file {path} stands where Ansible would read it as variables",
            "keep it beside the inventory",
        )
    return path


def new_entry(
    key: Key,
    token: Secret,
    password: Secret | None = None,
    vault_id: str | None = None,
    *,
    weak: bool = False,
    generated: bool = False,
) -> Entry:
    """Return the entry of a token as of now; without a password only its fingerprint is kept.

    `generated`: scimconf made it, with 256 random bits. Raises UsageError for a token that could be
    guessed from its fingerprint, unless a `weak` one is in use already.
    """
    if not weak and (reason := weakness_of(token)):
        raise UsageError(f"a token cannot be used: {reason}", "`scimconf token` prints good ones")
    ciphertext = vault.encrypt(token, password, vault_id) if password else None
    created = stamp(datetime.now(timezone.utc))
    hashed = fingerprint(token, place_of(*key, created), generated=generated)
    return Entry(hashed, created, ciphertext)


@dataclass(frozen=True)
class TokenFile:
    """What the token file held when it was read, and the way to add to it."""

    path: Path
    records: Mapping[Key, Record] = field(repr=False)
    _document: Document = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> TokenFile:
        """Read the file; one that is not there has no entries.

        Raises InventoryError, with file:line:col, for one that is no token file or not a whole one,
        a merge conflict of git among the reasons. Such a file is never written to.
        """
        if not _exists(path):
            return cls(path, {}, parse("", str(path)))
        document = _parsed(path)
        return cls(path, entries_of(document), document)

    @property
    def entries(self) -> Mapping[Key, Entry]:
        """The realms that are not gone."""
        return {key: each for key, each in self.records.items() if isinstance(each, Entry)}

    def entry(self, deployment: str, realm: str) -> Entry | None:
        """Return what is known of a realm's token, where the realm is not gone."""
        found = self.records.get((deployment, realm))
        return found if isinstance(found, Entry) else None

    def fingerprint(self, deployment: str, realm: str) -> Fingerprint | None:
        """Return the fingerprint of a realm's token."""
        entry = self.entry(deployment, realm)
        return bound((deployment, realm), entry) if entry else None

    def token(self, deployment: str, realm: str, passwords: Mapping[str, Secret]) -> Secret | None:
        """Open a realm's token; None where the file holds none.

        Raises UsageError, with file:line:col, if no password opens it or it is not the one that
        the fingerprint beside it was made of, at this place and date.
        """
        entry = self.entry(deployment, realm)
        if entry is None or entry.ciphertext is None:
            return None
        where = self._document.position((TOP, deployment, realm, "token"))
        try:
            token = vault.decrypt(entry.ciphertext, passwords)
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}", error.hint) from None
        if not matches(token, bound((deployment, realm), entry)):
            raise UsageError(
                f"{where}: this token does not belong here: its fingerprint is that of another "
                "token, deployment, realm or date",
                "was the entry copied, moved or edited by hand? Put it back from version control",
            )
        return token

    def refuse(self, value: VaultValue) -> None:
        """Raise UsageError for a vault value that stands in this file, as any of its tokens.

        A token of this file is for its own place alone. Whoever copies its vault value to another
        variable, with other line breaks or another header, would have it sent somewhere else.
        """
        identity = vault.identity(value.ciphertext)
        if identity is None:
            return  # whoever opens it is told that it is damaged
        for (deployment, realm), entry in _all_entries(self.records):
            if entry.ciphertext and vault.identity(entry.ciphertext) == identity:
                where = f"{value.position}: " if value.position else ""
                raise UsageError(
                    f"{where}this vault value is the token of realm {realm or '(root)'} of "
                    f"{deployment} in {self.path}, and is used for nothing else",
                    "give this variable a value of its own: ansible-vault encrypt_string",
                )

    def save(self, entries: Mapping[Key, Record]) -> TokenFile:
        """Put these records into the file, durably, and return the file as it is then.

        All other entries stay as they are, with what other runs have added since this one was read.
        Of these, previous and removed tokens whose time is over are forgotten. Raises UsageError,
        and leaves the file as it was, if one of these very entries has changed meanwhile.
        """
        real = self.path.resolve()  # a link stays a link
        with files.locked(real):
            now = TokenFile.load(self.path)
            for key in entries:
                if now.records.get(key) != self.records.get(key):
                    raise UsageError(
                        f"{self.path}: another run has changed the token of realm "
                        f"{key[1] or '(root)'} of {key[0]} meanwhile",
                        "run the same command again",
                    )
            moment = datetime.now(timezone.utc)
            changed = {
                key: without_expired(record, moment)
                for key, record in entries.items()
                if now.records.get(key) != record
            }
            if not changed:
                return now
            after = _proved(now, {**now.records, **changed})
            files.write_atomically(real, after._document.text)
            return after


def _parsed(path: Path) -> Document:
    text = read_text(path)
    try:
        return parse(text, str(path))
    except InventoryError as error:
        if f"\n{VERSION}: " in f"\n{text}" and not is_whole(text):
            raise InventoryError([cut_short(str(path), text), *error.problems]) from None
        raise


def _all_entries(records: Mapping[Key, Record]) -> Iterator[tuple[Key, Entry]]:
    """Return every token that the file has, with its place: staged, previous and removed ones."""
    for key, record in records.items():
        entry = record if isinstance(record, Entry) else record.entry
        if entry:
            yield from ((key, each) for each in entry.tokens())


def _exists(path: Path) -> bool:
    """Return whether there is a file; one that may not be looked at counts: reading says why.

    Raises UsageError for what is no regular file: a pipe would be waited for.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"the token file {path} is not a regular file")
    return True


def _proved(file: TokenFile, records: Mapping[Key, Record]) -> TokenFile:
    """Give the file with these records and no others, read back from the text to be written."""
    changed = {key: each for key, each in records.items() if file.records.get(key) != each}
    text = edit(file._document, changed)
    try:
        document = parse(text, str(file.path))
        after = TokenFile(file.path, entries_of(document), document)
    except InventoryError:
        after = file
    if after.records != records:
        raise UsageError(
            f"{file.path} is not laid out in a way that scimconf can add to",
            "each deployment, realm and field has to stand on a line of its own, without {} and *",
        )
    return after

"""The token file: tokens as Ansible Vault values, with fingerprints and dates in clear.

`ansible-vault` decrypts every value, git shows which realm changed, and a plan needs no password.
"""

from __future__ import annotations

import random
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
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
from scimconf.tokens.fingerprint import fingerprint, place_of
from scimconf.tokens.layout import edit
from scimconf.tokens.rotation import created, without_expired
from scimconf.tokens.strength import weakness_of
from scimconf.tokens.unlock import unlock
from scimconf.yamlfile import Document, parse, read_text

__all__ = ["Entry", "Key", "TokenFile", "new_entry", "place"]

_SAMPLE = 8
"""How many tokens are tried with a password that a person gave. Each takes about 10 ms."""


def place(asked: Path | None, inventories: Sequence[Path]) -> Path:
    """Return the path of the token file: `asked`, else tokens.yaml beside the first inventory.

    Raises UsageError for a path where Ansible would read it as a source: inside an inventory
    folder, or in group_vars or host_vars. Also raises it if the default path is a link.
    """
    first = inventories[0]
    path = asked or first.parent / "tokens.yaml"
    if asked is None and path.is_symlink():
        raise UsageError(
            f"the token file {path} is a link, which could lead to a file of somebody else",
            f"name the file itself: --tokens {shlex.quote(str(path.resolve()))}",
        )
    inside = path.absolute().parent.resolve()
    for inventory in inventories:
        if inventory.is_dir() and inside.is_relative_to(inventory.resolve()):
            raise UsageError(
                f"the token file {path} is inside the inventory folder {inventory}, where Ansible "
                "would read it as a source",
                "move it beside the folder",
            )
    if {"group_vars", "host_vars"} & set(inside.parts):
        raise UsageError(
            f"the token file {path} is where Ansible would read it as variables",
            "move it beside the inventory",
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
    present: Record | None = None,
) -> Entry:
    """Build the entry of a new token; without a password, the entry has only its fingerprint.

    `generated`: scimconf generated it, with 256 random bits. `present`: what the file has for this
    realm now. Raises UsageError for a token that could be guessed from its fingerprint. `weak`:
    accept such a token, because it is already in use.
    """
    if not weak and (reason := weakness_of(token)):
        raise UsageError(f"the token cannot be used: {reason}", "generate one: scimconf token")
    ciphertext = vault.encrypt(token, password, vault_id) if password else None
    made = created(present, datetime.now(timezone.utc))
    hashed = fingerprint(token, place_of(*key, made), generated=generated)
    return Entry(hashed, made, ciphertext)


@dataclass(frozen=True)
class TokenFile:
    """The content of the token file when it was read; `save` writes changes."""

    path: Path
    records: Mapping[Key, Record] = field(repr=False)
    text: str = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> TokenFile:
        """Read the file; a missing file has no entries.

        Raises InventoryError, with file:line:col, for a file that is not a complete token file, for
        example because of a git merge conflict. scimconf never writes to such a file.
        """
        return _load(path)[0]

    @cached_property
    def document(self) -> Document:
        """The positions in the text. It is parsed again: a plan needs none, and they are large."""
        return parse(self.text, str(self.path))

    @property
    def entries(self) -> Mapping[Key, Entry]:
        """The entries of realms that are not removed."""
        return {key: each for key, each in self.records.items() if isinstance(each, Entry)}

    @property
    def vault_ids(self) -> frozenset[str]:
        """The vault ids of the tokens in the file."""
        ciphertexts = (entry.ciphertext for entry in self.entries.values())
        return frozenset(vault.id_of(each) for each in ciphertexts if each)

    def entry(self, deployment: str, realm: str) -> Entry | None:
        """Return the entry of a realm; None if there is none or the realm is removed."""
        found = self.records.get((deployment, realm))
        return found if isinstance(found, Entry) else None

    def fingerprint(self, deployment: str, realm: str) -> Fingerprint | None:
        """Return the fingerprint of a realm's token."""
        entry = self.entry(deployment, realm)
        return bound((deployment, realm), entry) if entry else None

    def token(self, deployment: str, realm: str, passwords: Mapping[str, Secret]) -> Secret | None:
        """Decrypt a realm's token; return None if the file has none.

        Raises UsageError, with file:line:col, if no password decrypts it, or if it does not match
        its fingerprint for this place and date.
        """
        entry = self.entry(deployment, realm)
        if entry is None or entry.ciphertext is None:
            return None
        where = self.document.position((TOP, deployment, realm, "token"))
        return unlock((deployment, realm), entry, passwords, where)

    def is_opened_by(self, password: Secret) -> bool | None:
        """Return whether a password decrypts every token of the file; None if there is no token.

        Staged, previous and removed tokens count, and so do those with another vault id: whoever
        adds a token to the file can also change the ids of the others.
        """
        texts = [each.ciphertext for _, each in _all_entries(self.records) if each.ciphertext]
        if not texts:
            return None
        with ThreadPoolExecutor() as pool:
            return all(pool.map(lambda text: _opens(text, password), texts))

    def are_opened_by(self, vault_id: str, password: Secret) -> set[bool]:
        """Return whether a password decrypts a few random tokens that have its vault id.

        The set has True if it decrypts one, and False if it does not decrypt one. It is empty if no
        token has the id.
        """
        texts = [
            each.ciphertext
            for _, each in _all_entries(self.records)
            if each.ciphertext and vault.id_of(each.ciphertext) == vault_id
        ]
        chosen = random.sample(texts, min(_SAMPLE, len(texts)))
        return {_opens(text, password) for text in chosen}

    def refuse(self, value: VaultValue) -> None:
        """Raise UsageError for a vault value that is one of this file's tokens.

        A token of this file may be used only for its own realm. A copy of its vault value in
        another variable, even with other line breaks or another header, would send it elsewhere.
        """
        identity = vault.identity(value.ciphertext)
        if identity is None:
            return  # decrypting it reports the damage
        if key := self._identities.get(identity):
            deployment, realm = key
            where = f"{value.position}: " if value.position else ""
            raise UsageError(
                f"{where}this vault value is the token of realm {realm or '(root)'} of "
                f"{deployment} in {self.path}, which must not be used elsewhere",
                "encrypt another value for this variable: ansible-vault encrypt_string",
            )

    @cached_property
    def _identities(self) -> Mapping[bytes, Key]:
        """The places of all tokens by the identity of their vault values (`vault.identity`)."""
        found = (
            (vault.identity(entry.ciphertext), key)
            for key, entry in _all_entries(self.records)
            if entry.ciphertext
        )
        return {identity: key for identity, key in found if identity}

    def save(self, entries: Mapping[Key, Record]) -> TokenFile:
        """Write these records durably, and return the new content of the file.

        Keep all other entries, also those that other runs have added since this file was read.
        Delete expired previous and removed tokens of these records. If another run has changed one
        of these entries since, raise UsageError and leave the file unchanged.
        """
        real = self.path.resolve()  # a link stays a link
        with files.locked(real):
            now, document = _load(self.path)
            for key in entries:
                if now.records.get(key) != self.records.get(key):
                    raise UsageError(
                        f"{self.path}: another run has changed the token of realm "
                        f"{key[1] or '(root)'} of {key[0]}",
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
            after = _edited(now, document, {**now.records, **changed})
            files.write_atomically(real, after.text)
            return after


def _opens(ciphertext: str, password: Secret) -> bool:
    try:
        vault.decrypt(ciphertext, {vault.DEFAULT_ID: password})
    except UsageError:
        return False
    return True


def _load(path: Path) -> tuple[TokenFile, Document]:
    """Return the content of the file, and its positions; see `TokenFile.load`."""
    if not _exists(path):
        return TokenFile(path, {}, ""), parse("", str(path))
    document = _parsed(path)
    return TokenFile(path, entries_of(document), document.text), document


def _parsed(path: Path) -> Document:
    text = read_text(path)
    try:
        return parse(text, str(path))
    except InventoryError as error:
        if f"\n{VERSION}: " in f"\n{text}" and not is_whole(text):
            raise InventoryError([cut_short(str(path), text), *error.problems]) from None
        raise


def _all_entries(records: Mapping[Key, Record]) -> Iterator[tuple[Key, Entry]]:
    """Yield every token in the file with its key, also staged, previous and removed ones."""
    for key, record in records.items():
        entry = record if isinstance(record, Entry) else record.entry
        if entry:
            yield from ((key, each) for each in entry.tokens())


def _exists(path: Path) -> bool:
    """Return whether the file exists. Return True if that is unknown: reading it reports why.

    Raises UsageError for anything but a regular file: reading a pipe could block for ever.
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


def _edited(file: TokenFile, document: Document, records: Mapping[Key, Record]) -> TokenFile:
    """Return the file with these records. Read the new text back to check that it is correct."""
    changed = {key: each for key, each in records.items() if file.records.get(key) != each}
    text = edit(document, changed)
    try:
        after = TokenFile(file.path, entries_of(parse(text, str(file.path))), text)
    except InventoryError:
        after = file
    if after.records != records:
        raise UsageError(
            f"scimconf cannot edit the layout of {file.path}",
            "put each deployment, realm and field on a line of its own, without {} and *",
        )
    return after

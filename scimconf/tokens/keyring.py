"""The tokens of a fleet and their fingerprints, wherever the tokens are kept.

One Keyring serves one run. It decrypts, resolves or generates a token only when a caller asks for
tokens: a plan asks for fingerprints and needs no secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from itertools import islice
from threading import Lock

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.model import (
    NOTHING,
    Desired,
    Fingerprint,
    Places,
    Realm,
    Reference,
    Server,
    TokenDate,
    TokenSource,
    VaultValue,
)
from scimconf.secret import Secret
from scimconf.tokens import rotation
from scimconf.tokens.entries import Record, Removed, bound
from scimconf.tokens.fingerprint import matches
from scimconf.tokens.generate import generate
from scimconf.tokens.moving import move
from scimconf.tokens.references import resolve, withhold
from scimconf.tokens.store import Entry, Key, TokenFile, new_entry
from scimconf.tokens.strength import UNUSABLE, UNUSABLE_HINT, weakness_of

Passwords = Callable[[], Mapping[str, Secret]]
"""Returns the vault passwords by vault id, the one for new values first. Raises UsageError if there
is none."""

Tokens = Mapping[str, Mapping[str, Secret]]
"""Server name -> realm -> token."""

Turn = Callable[[Entry, datetime], Entry]
"""Puts another token of an entry in force: `rotation.activated`."""


_MOST_STRAYS = 50
"""A server compares a realm's token with at most this many tokens of places that the inventory does
not name."""


class Keyring:
    """The token file, and the tokens that the inventory keeps elsewhere.

    `turned`: this run puts other tokens of some entries in force, so the servers still have
    different tokens. `places`: None if they are not known; then no rename is recognized.
    """

    def __init__(
        self,
        file: TokenFile,
        passwords: Passwords,
        *,
        turned: bool = False,
        places: Places | None = None,
    ) -> None:
        self.file = file
        self.passwords = passwords
        self._is_turned = turned
        self._places = places
        self._fetched: dict[TokenSource, Secret] = {}
        self._opened: dict[str, Secret] = {}
        """Tokens by ciphertext: another run may have replaced or removed the entry since."""
        self._tested: TokenFile | None = None
        """The file whose tokens the passwords were tested with."""
        self._unnamed: tuple[TokenFile, list[tuple[Key, Entry]]] | None = None
        """The file, and its tokens whose places the inventory does not name."""
        self._new: dict[tuple[Key, Secret], Entry] = {}
        """New entries, not written yet, for tokens that are kept elsewhere."""
        self._noting = Lock()
        """Several threads may note deliveries."""

    def desired(self, server: Server) -> Desired:
        """Return the server with all fingerprints that are known without decryption.

        For a token in clear, or one that `fetch` has read, it is the fingerprint of its present
        value.
        """
        known: dict[str, Fingerprint] = {}
        unrecorded: dict[str, str] = {}
        others: dict[str, tuple[Fingerprint, ...]] = {}
        staged: dict[str, str] = {}
        delivering: dict[str, str] = {}
        undelivered: set[str] = set()
        moved: dict[str, Key] = {}
        strays: dict[str, tuple[Fingerprint, ...]] = {}
        for realm in server.realms:
            name = realm.string_id
            key = place = (server.deployment, name)
            record = self.file.records.get(key)
            entry = self._wanted(key, realm)
            if entry is None and (old := self._old_place(key, realm)):
                place, entry = old, self.file.entry(*old)
                moved[name] = old
            if entry is None:
                if found := self._strays(key, realm):
                    strays[name] = found
                continue
            known[name] = bound(place, entry)
            if entry.delivering and realm.present and not self._is_turned:
                delivering[name] = entry.delivering
            never = isinstance(record, Entry) and not record.delivered
            if realm.deliver and realm.present and never:
                undelivered.add(name)
            if entry is not record and name not in moved:
                unrecorded[name] = _removed_on(record, entry)
            rest = (each for each in entry.tokens() if each is not entry)
            others[name] = tuple(bound(place, each) for each in rest)
            if entry.next and realm.present and not self._is_turned:
                staged[name] = entry.next.created
        return Desired(
            server,
            known or NOTHING,
            unrecorded or NOTHING,
            others or NOTHING,
            self._is_turned,
            staged or NOTHING,
            delivering or NOTHING,
            frozenset(undelivered),
            moved or NOTHING,
            strays or NOTHING,
        )

    def _old_place(self, key: Key, realm: Realm) -> Key | None:
        """Return where the token of a renamed realm still is; None if it is at its place already.

        A token that is kept elsewhere does not move, nor one that was removed from its servers.
        """
        if not self._places or not realm.present or realm.token is not None:
            return None
        record = self.file.records.get(key)
        if isinstance(record, Entry) or (record and record.entry):
            return None
        olds = self._places.renamed.get(key, ())
        return next((old for old in olds if _has_token(self.file.entry(*old))), None)

    def _strays(self, key: Key, realm: Realm) -> tuple[Fingerprint, ...]:
        """Return the tokens that a realm without a token may have had under another name.

        Their places are not in the inventory, and have the same deployment or the same realm.
        """
        if not self._places or not realm.present or realm.token is not None:
            return ()
        if self._unnamed is None or self._unnamed[0] is not self.file:
            named, entries = self._places.named, self.file.entries
            self._unnamed = (
                self.file,
                [
                    (each, entry)
                    for each, entry in entries.items()
                    if each not in named and entry.ciphertext
                ],
            )
        deployment, name = key
        found = (
            bound(each, entry)
            for each, entry in self._unnamed[1]
            if each[0] == deployment or each[1] == name
        )
        return tuple(islice(found, _MOST_STRAYS))

    def _wanted(self, key: Key, realm: Realm) -> Entry | None:
        """Return the entry of the token that a realm should have; None if it has no token yet.

        If a removed realm is added again while its token is still kept, it gets that token.
        """
        record = self.file.records.get(key)
        entry = record.entry if isinstance(record, Removed) else record
        if not realm.present:
            return self.file.entry(*key)
        token = self._from_elsewhere(realm)
        if token is None:
            # Only the entry of a token that is kept elsewhere has no ciphertext.
            is_elsewhere = realm.token is not None
            return entry if entry and is_elsewhere is (entry.ciphertext is None) else None
        if entry and entry.ciphertext is None and matches(token, bound(key, entry)):
            return entry
        if (key, token) not in self._new:
            self._new[key, token] = new_entry(key, token, present=record)
        return self._new[key, token]

    def dates(self, servers: Iterable[Server]) -> tuple[TokenDate, ...]:
        """Return when the tokens in force of these servers' realms were created, each once."""
        keys = {(server.deployment, realm.string_id): None for server, realm in _present(servers)}
        return tuple(
            TokenDate(*key, entry.created) for key in keys if (entry := self.file.entry(*key))
        )

    def fetch(self, servers: Iterable[Server]) -> None:
        """Fetch the tokens that are kept elsewhere. Write nothing.

        Resolve each reference once, and decrypt the inventory's vault values.

        Raises UsageError for a token that cannot be read, is too weak, or is in the token file.
        """
        servers = list(servers)
        withhold(servers)
        for server, realm in _present(servers):
            if isinstance(realm.token, Reference | VaultValue):
                try:
                    self._fetch(realm.token)
                except UsageError as error:
                    key = (server.deployment, realm.string_id)
                    raise UsageError(f"{_named(key)}: {error.message}", error.hint) from None
            self._wanted((server.deployment, realm.string_id), realm)

    def _fetch(self, source: Reference | VaultValue) -> None:
        if source in self._fetched:
            return
        if isinstance(source, Reference):
            self._fetched[source] = resolve(source)
            return
        self.file.refuse(source)
        where = str(source.position or "")
        secret = vault.open_whole(source.ciphertext, self.passwords(), where)
        # A stranger may have put the value here, so errors must reveal nothing about it.
        try:
            token = vault.one_line(secret)
            usable = not weakness_of(token)
        except UsageError:
            usable = False
        if not usable:
            place = f"{where}: " if where else ""
            raise UsageError(place + UNUSABLE, UNUSABLE_HINT)
        self._fetched[source] = token

    def unlock(self, changing: Iterable[Server], fetched: Iterable[Server] = ()) -> None:
        """Get the passwords that a change of these servers needs, and try them. Write nothing.

        `fetched`: the servers for which `fetch` will be called. Raises UsageError for a missing or
        wrong password, so that no question is asked in vain.
        """
        kept = {
            (server.deployment, realm.string_id): realm
            for server, realm in _present(changing)
            if realm.token is None
        }
        elsewhere = any(isinstance(realm.token, VaultValue) for _, realm in _present(fetched))
        if kept or elsewhere:
            self.passwords()
        self._open(kept)
        if any(self._wanted(key, realm) is None for key, realm in kept.items()):
            self._tested_passwords()

    def make(self, servers: Iterable[Server]) -> None:
        """Generate the missing tokens and write them into the token file, durably.

        A realm that is added again gets its old entry, a renamed one its moved entry. Servers of
        one deployment share tokens.
        Raises UsageError, before anything is written, if there is no vault password or it does not
        decrypt the tokens in the file.
        """
        servers = list(servers)
        moves = {
            old: (server.deployment, realm.string_id)
            for server, realm in _present(servers)
            if (old := self._old_place((server.deployment, realm.string_id), realm))
        }
        if moves:
            self.file = move(self.file.path, moves, self.passwords()).file
        new: dict[Key, Record] = {}
        missing: dict[Key, Secret] = {}
        for server, realm in _present(servers):
            key = (server.deployment, realm.string_id)
            record, wanted = self.file.records.get(key), self._wanted(key, realm)
            if isinstance(record, Removed) and wanted and wanted is record.entry:
                new[key] = wanted
            elif realm.token is None and wanted is None and key not in missing:
                missing[key] = generate()
        if missing:
            for key, entry in self._encrypted(missing).items():
                self._opened[entry.ciphertext or ""] = missing[key]
                new[key] = self._replacing(key, entry)
        if new:
            self.file = self.file.save(new)

    def settle(self, changed: Iterable[Server], proved: Iterable[Server]) -> None:
        """Record the state of servers that have the wanted tokens.

        Write the fingerprints of tokens that are kept elsewhere. For the servers that are `proved`
        to match the inventory, record removed realms; their tokens are kept for a week. Delete
        expired tokens of all these realms.
        """
        now = datetime.now(timezone.utc)
        proved_names = {server.name for server in proved}
        new: dict[Key, Record] = {}
        for server in changed:
            for realm in server.realms:
                key = (server.deployment, realm.string_id)
                record = self.file.records.get(key)
                if isinstance(record, Entry) and not realm.present:
                    if server.name in proved_names:
                        new[key] = rotation.removed(record, now)
                elif (token := self._from_elsewhere(realm)) and (key, token) in self._new:
                    new[key] = self._replacing(key, self._new[key, token])
                elif record:
                    new[key] = rotation.without_expired(record, now)
        self.file = self.file.save(new) if new else self.file

    def _tested_passwords(self) -> Mapping[str, Secret]:
        """Return the passwords after a test, so that no token is encrypted with a mistyped one.

        New values are encrypted with the first password, so it must decrypt the tokens with its
        vault id; a few of them are tried. If no token has its id, decrypt any token.
        """
        passwords = self.passwords()
        if self._tested is self.file:
            return passwords
        first = next(iter(passwords))
        if self.file.are_opened_by(first, passwords[first]) == {True, False}:
            raise UsageError(
                f"{self.file.path} has tokens under different passwords of the vault id {first!r}",
                "find out who added them (git log); then restore the file",
            )
        ciphertexts = {key: each.ciphertext for key, each in self.file.entries.items()}
        ids = {key: vault.id_of(text) for key, text in ciphertexts.items() if text}
        key, tried = next((key for key, id_ in ids.items() if id_ == first), None), passwords
        if key:
            tried = {first: passwords[first]}
        else:
            key = next(iter(ids), None)
        try:
            text = ciphertexts[key] if key else None
            is_open = text is None or text in self._opened
            if key and text and not is_open and (token := self.file.token(*key, tried)):
                self._opened[text] = token
        except UsageError as error:
            if tried is passwords:
                raise
            raise UsageError(
                f"{error.message}; this password does not decrypt the token file",
                "if the token file was rekeyed, give the new password; if you want a new password "
                "for new tokens, use another id: --vault-id NEW@FILE",
            ) from None
        self._tested = self.file
        return passwords

    def note(self, notes: Mapping[Key, Callable[[Entry], Entry]]) -> None:
        """Change the notes about deliveries in these entries, and write them durably."""
        with self._noting:
            found = {key: self.file.entry(*key) for key in notes}
            new = {key: notes[key](entry) for key, entry in found.items() if entry}
            if new:
                self.file = self.file.save(new)

    def adopt(self, tokens: Mapping[Key, Secret]) -> None:
        """Write tokens that servers already use into the token file, even weak ones.

        Keep an existing entry of the same token. Raises UsageError as `make` does.
        """
        new = {}
        for key, token in tokens.items():
            entry = self.file.entry(*key)
            if not (entry and entry.ciphertext and matches(token, bound(key, entry))):
                password = _first(self._tested_passwords())
                record = self.file.records.get(key)
                adopted = new_entry(key, token, *password, weak=True, present=record)
                new[key] = self._replacing(key, adopted)
        if new:
            self.file = self.file.save(new)

    def staged(self, keys: Iterable[Key]) -> Keyring:
        """Return a keyring in which each of these has a new staged token. Write nothing.

        Raises UsageError as `make` does, and for a token that is kept elsewhere.
        """
        keys = list(keys)
        made = self._encrypted({key: generate() for key in keys})
        return self._changed(keys, lambda key, entry, now: rotation.staged(entry, made[key], now))

    def _encrypted(self, generated: Mapping[Key, Secret]) -> dict[Key, Entry]:
        """Return the entries of generated tokens. Raises UsageError if there is no vault password.

        Encrypting a token takes 4 ms, so all cores do it.
        """
        password = _first(self._tested_passwords())

        def entry(key: Key) -> Entry:
            record = self.file.records.get(key)
            return new_entry(key, generated[key], *password, generated=True, present=record)

        with ThreadPoolExecutor() as pool:
            return dict(zip(generated, pool.map(entry, generated), strict=True))

    def turned(self, keys: Iterable[Key], turn: Turn) -> Keyring:
        """Return a keyring in which `turn` has changed each of these entries. Write nothing.

        Raises UsageError, with the realm, if an entry has no such token.
        """
        return self._changed(keys, lambda _key, entry, now: turn(entry, now))

    def has_several_replaced(self, key: Key) -> bool:
        """Return whether more than one replaced token of an entry is kept."""
        entry = self.file.entry(*key)
        return entry is not None and len(rotation.replaced(entry)) > 1

    def rolled_back(self, keys: Iterable[Key], to: Mapping[Key, str]) -> Keyring:
        """Return a keyring with the previous token of each entry in force. Write nothing.

        `to`: the dates of the previous tokens that servers have; the others get their latest one.
        """
        return self._changed(
            keys, lambda key, entry, now: rotation.rolled_back(entry, now, to.get(key, ""))
        )

    def _changed(
        self, keys: Iterable[Key], change: Callable[[Key, Entry, datetime], Entry]
    ) -> Keyring:
        now = datetime.now(timezone.utc)
        records = dict(self.file.records)
        for key in keys:
            try:
                records[key] = change(key, self._entry_in_file(key), now)
            except UsageError as error:
                raise UsageError(f"{_named(key)}: {error.message}", error.hint) from None
        return Keyring(replace(self.file, records=records), self.passwords, turned=True)

    def keep(
        self,
        turned: Keyring,
        keys: Iterable[Key],
        notes: Mapping[Key, Callable[[Entry], Entry]] | None = None,
    ) -> None:
        """Write the entries that `turned` has for these keys into the file, durably.

        `notes` adds notes about deliveries to some of them.
        """
        records = {key: turned.file.records[key] for key in keys}
        for key, note in (notes or {}).items():
            record = records.get(key)
            if isinstance(record, Entry):
                records[key] = note(record)
        self.file = self.file.save(records)

    def sharing(self, keys: Iterable[Key]) -> Mapping[Key, tuple[Key, ...]]:
        """Return for each key the other entries of the file with the same token in force.

        Leave out tokens that no given password decrypts, such as another team's.
        """
        opened: dict[Key, Secret | None] = {}
        for key in self.file.entries:
            with suppress(UsageError):
                opened[key] = self._from_file(*key)
        return {
            key: tuple(
                other
                for other, token in opened.items()
                if token and other != key and token == opened.get(key)
            )
            for key in keys
        }

    def _replacing(self, key: Key, new: Entry) -> Entry:
        """Return the new entry with the tokens of the present one that must be kept."""
        record = self.file.records.get(key)
        entry = record.entry if isinstance(record, Removed) else record
        return rotation.replaced_by(entry, new, datetime.now(timezone.utc))

    def _entry_in_file(self, key: Key) -> Entry:
        entry = self.file.entry(*key)
        if entry is None or entry.ciphertext is None:
            raise UsageError(
                f"the token file {self.file.path} has no token for {_named(key)}",
                "to create the first token, run apply for this realm; if it is kept elsewhere, "
                "change it there",
            )
        return entry

    def tokens(self, servers: Iterable[Server]) -> Tokens:
        """Return every known token of the present realms of these servers.

        Raises UsageError if a token cannot be decrypted.
        """
        servers = list(servers)
        self._open(
            (server.deployment, realm.string_id)
            for server, realm in _present(servers)
            if not self._from_elsewhere(realm)
        )
        found: dict[str, dict[str, Secret]] = {}
        for server in servers:
            found[server.name] = {}
            for _, realm in _present([server]):
                key = (server.deployment, realm.string_id)
                if token := self._from_elsewhere(realm) or self._from_file(*key):
                    found[server.name][realm.string_id] = token
        return found

    def _open(self, keys: Iterable[Key]) -> None:
        """Decrypt the remaining tokens in threads, because it is slow and releases the GIL."""
        texts = {key: self._ciphertext(key) for key in keys}
        encrypted = {key: text for key, text in texts.items() if text and text not in self._opened}
        if not encrypted:
            return
        passwords = self.passwords()  # not in a thread: it may ask a person

        def token(key: Key) -> Secret | None:
            return self.file.token(*key, passwords)

        with ThreadPoolExecutor() as pool:
            opened = zip(encrypted.values(), pool.map(token, encrypted), strict=True)
            self._opened |= {text: each for text, each in opened if each}

    def _from_elsewhere(self, realm: Realm) -> Secret | None:
        """Return the token that is in clear in the inventory, or that `fetch` has read."""
        return realm.token if isinstance(realm.token, Secret) else self._fetched.get(realm.token)

    def _from_file(self, deployment: str, realm: str) -> Secret | None:
        text = self._ciphertext((deployment, realm))
        if text and text not in self._opened:
            token = self.file.token(deployment, realm, self.passwords())
            if token:
                self._opened[text] = token
        return self._opened.get(text) if text else None

    def _ciphertext(self, key: Key) -> str | None:
        entry = self.file.entry(*key)
        return entry.ciphertext if entry else None


def _has_token(entry: Entry | None) -> bool:
    return entry is not None and entry.ciphertext is not None


def _removed_on(record: Record | None, entry: Entry) -> str:
    """Return when the realm of this entry was removed; "" for a new entry."""
    return record.removed if isinstance(record, Removed) and record.entry is entry else ""


def _present(servers: Iterable[Server]) -> Iterator[tuple[Server, Realm]]:
    return ((server, realm) for server in servers for realm in server.realms if realm.present)


def _named(key: Key) -> str:
    deployment, realm = key
    return f"realm {realm or '(root)'} of {deployment}"


def _first(passwords: Mapping[str, Secret]) -> tuple[Secret, str]:
    """Return the password for new values, and its vault id."""
    vault_id, password = next(iter(passwords.items()))
    return password, vault_id

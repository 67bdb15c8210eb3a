"""The tokens of a fleet, wherever each is kept, and their fingerprints.

One Keyring serves one run. It opens a vault, resolves a reference or makes a token only when
asked for the tokens themselves: a plan asks for fingerprints, and needs no secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.model import Desired, Realm, Reference, Server, TokenSource, VaultValue
from scimconf.secret import Secret
from scimconf.tokens import rotation
from scimconf.tokens.entries import Tombstone
from scimconf.tokens.fingerprint import matches
from scimconf.tokens.generate import generate
from scimconf.tokens.references import resolve, withhold
from scimconf.tokens.store import Entry, Key, TokenFile, new_entry

Passwords = Callable[[], Mapping[str, Secret]]
"""Gives the vault passwords by vault id; raises UsageError where there are none to be had."""

Tokens = Mapping[str, Mapping[str, Secret]]
"""By server and realm."""

Turn = Callable[[Entry, datetime], Entry]
"""Puts another token of an entry in force: `rotation.activated`, `rotation.gone_back`."""


class Keyring:
    """The token file, and what the inventory says of tokens that are kept elsewhere."""

    def __init__(self, file: TokenFile, passwords: Passwords) -> None:
        self.file = file
        self._passwords = passwords
        self._fetched: dict[TokenSource, Secret] = {}
        self._opened: dict[Key, Secret] = {}

    def desired(self, server: Server) -> Desired:
        """Give the server with the fingerprints that are known without opening anything.

        A token in clear, and one that `fetch` has fetched, count as what they are now: where the
        token file says otherwise, the realm has no fingerprint yet.
        """
        known = {}
        for realm in server.realms:
            entry = self.file.entry(server.deployment, realm.string_id)
            if entry and self._vouches(entry, realm):
                known[realm.string_id] = entry.fingerprint
        return Desired(server, known)

    def _vouches(self, entry: Entry, realm: Realm) -> bool:
        """Say whether the token file's entry is still about the token that the realm is to have."""
        if realm.token is None:
            return entry.ciphertext is not None
        token = self._at_hand(realm)
        if token is None:
            # Of a token that is kept elsewhere the file has no ciphertext: this one is another.
            return entry.ciphertext is None
        return matches(token, entry.fingerprint)

    def fetch(self, servers: Iterable[Server]) -> None:
        """Fetch the tokens that are kept elsewhere, and keep their fingerprints in the file.

        Each reference is resolved once; one in a vault value of the inventory is opened. Raises
        UsageError where one cannot be had.
        """
        servers = list(servers)
        withhold(servers)
        new: dict[Key, Entry] = {}
        for server, realm in _present(servers):
            key = (server.deployment, realm.string_id)
            if isinstance(realm.token, Reference | VaultValue):
                try:
                    self._fetch(realm.token)
                except UsageError as error:
                    raise UsageError(f"{_named(key)}: {error.message}", error.hint) from None
            token = self._at_hand(realm)
            entry = self.file.entry(*key)
            if token and not (entry and matches(token, entry.fingerprint)):
                new[key] = self._in_place(key, new_entry(token))
        if new:
            self.file = self.file.save(new)

    def _fetch(self, source: Reference | VaultValue) -> None:
        if source in self._fetched:
            return
        self._fetched[source] = (
            resolve(source)
            if isinstance(source, Reference)
            else vault.decrypt(source.ciphertext, self._passwords())
        )

    def make(self, servers: Iterable[Server]) -> None:
        """Make the tokens that are missing; they are durable in the token file after this.

        Servers of one deployment share them. Raises UsageError where there is no vault password,
        or one that does not open what the file holds, before anything is written.
        """
        new: dict[Key, Entry] = {}
        for server, realm in _present(servers):
            key = (server.deployment, realm.string_id)
            entry = self.file.entry(*key)
            if realm.token is None and key not in new and not (entry and entry.ciphertext):
                self._opened[key] = generate()
                made = new_entry(self._opened[key], *_first(self._proved()))
                new[key] = self._in_place(key, made)
        if new:
            self.file = self.file.save(new)

    def _proved(self) -> Mapping[str, Secret]:
        """Give the passwords once one has opened a token that is there: a typo would be kept.

        New values are encrypted under the first, so it is the first where a token carries its id.
        """
        passwords = self._passwords()
        first = next(iter(passwords))
        closed = {key: each.ciphertext for key, each in self.file.entries.items()}
        known = {key: vault.id_of(text) for key, text in closed.items() if text}
        key, tried = next((key for key, its in known.items() if its == first), None), passwords
        if key:
            tried = {first: passwords[first]}
        else:
            key = next(iter(known), None)
        if key and key not in self._opened and (token := self.file.token(*key, tried)):
            self._opened[key] = token
        return passwords

    def adopt(self, tokens: Mapping[Key, Secret]) -> None:
        """Keep tokens that are in use somewhere already, weak ones too, in the token file.

        What the file has of the same token stays. Raises UsageError as `make` does.
        """
        new = {}
        for key, token in tokens.items():
            entry = self.file.entry(*key)
            if not (entry and entry.ciphertext and matches(token, entry.fingerprint)):
                adopted = new_entry(token, *_first(self._proved()), weak=True)
                new[key] = self._in_place(key, adopted)
        if new:
            self.file = self.file.save(new)

    def staged(self, keys: Iterable[Key]) -> Keyring:
        """Give a keyring that has the next token of each of these, not in force; writes nothing.

        Raises UsageError as `make` does, and for one whose token is kept elsewhere.
        """
        password = _first(self._proved())
        return self.turned(
            keys, lambda entry, now: rotation.staged(entry, new_entry(generate(), *password))
        )

    def turned(self, keys: Iterable[Key], turn: Turn) -> Keyring:
        """Give a keyring in which each of these is what `turn` makes of it; writes nothing.

        Raises UsageError, with the realm, where there is no such token.
        """
        now = datetime.now(timezone.utc)
        records = dict(self.file.records)
        for key in keys:
            try:
                records[key] = turn(self._ours(key), now)
            except UsageError as error:
                raise UsageError(f"{_named(key)}: {error.message}", error.hint) from None
        return Keyring(replace(self.file, records=records), self._passwords)

    def keep(self, turned: Keyring, keys: Iterable[Key]) -> None:
        """Write into the file what `turned` has of these; durable after this."""
        self.file = self.file.save({key: turned.file.records[key] for key in keys})

    def sharing(self, keys: Iterable[Key]) -> Mapping[Key, tuple[Key, ...]]:
        """Give for each which others of the file have the very same token in force.

        One that none of the passwords opens, such as another team's, is not compared.
        """
        opened: dict[Key, Secret | None] = {}
        for key in self.file.entries:
            with suppress(UsageError):
                opened[key] = self._kept(*key)
        return {
            key: tuple(
                other
                for other, token in opened.items()
                if token and other != key and token == opened.get(key)
            )
            for key in keys
        }

    def bury(self, keys: Iterable[Key]) -> None:
        """Forget the tokens of realms that are gone; a date stays."""
        gone = Tombstone(rotation.stamp(datetime.now(timezone.utc)))
        buried: dict[Key, Entry | Tombstone] = {
            key: gone for key in keys if key in self.file.entries
        }
        if buried:
            self.file = self.file.save(buried)

    def _in_place(self, key: Key, new: Entry) -> Entry:
        return rotation.succeeded(self.file.entry(*key), new, datetime.now(timezone.utc))

    def _ours(self, key: Key) -> Entry:
        entry = self.file.entry(*key)
        if entry is None or entry.ciphertext is None:
            raise UsageError(
                f"the token file {self.file.path} holds no token of {_named(key)}",
                "scimconf apply makes the first one; one that is kept elsewhere is changed there",
            )
        return entry

    def tokens(self, servers: Iterable[Server]) -> Tokens:
        """Give every token there is for the present realms of these servers.

        Raises UsageError where the vault does not open.
        """
        servers = list(servers)
        self._open(
            (server.deployment, realm.string_id)
            for server, realm in _present(servers)
            if not self._at_hand(realm)
        )
        found: dict[str, dict[str, Secret]] = {}
        for server in servers:
            found[server.name] = {}
            for _, realm in _present([server]):
                if token := self._at_hand(realm) or self._kept(server.deployment, realm.string_id):
                    found[server.name][realm.string_id] = token
        return found

    def _open(self, keys: Iterable[Key]) -> None:
        """Open what is still closed of these: each is slow work that needs no lock of Python's."""
        entries = {key: self.file.entry(*key) for key in keys if key not in self._opened}
        closed = [key for key, entry in entries.items() if entry and entry.ciphertext]
        if not closed:
            return
        passwords = self._passwords()  # here, not in a thread: it may ask

        def token(key: Key) -> Secret | None:
            return self.file.token(*key, passwords)

        with ThreadPoolExecutor() as pool:
            opened = pool.map(token, closed)
            self._opened |= {key: each for key, each in zip(closed, opened, strict=True) if each}

    def _at_hand(self, realm: Realm) -> Secret | None:
        return realm.token if isinstance(realm.token, Secret) else self._fetched.get(realm.token)

    def _kept(self, deployment: str, realm: str) -> Secret | None:
        key = (deployment, realm)
        entry = self.file.entry(*key)
        if key not in self._opened and entry and entry.ciphertext:
            token = self.file.token(deployment, realm, self._passwords())
            if token:
                self._opened[key] = token
        return self._opened.get(key)


def _present(servers: Iterable[Server]) -> Iterator[tuple[Server, Realm]]:
    return ((server, realm) for server in servers for realm in server.realms if realm.present)


def _named(key: Key) -> str:
    deployment, realm = key
    return f"realm {realm or '(root)'} of {deployment}"


def _first(passwords: Mapping[str, Secret]) -> tuple[Secret, str]:
    """Give the password that new values are encrypted with, and its vault id."""
    vault_id, password = next(iter(passwords.items()))
    return password, vault_id

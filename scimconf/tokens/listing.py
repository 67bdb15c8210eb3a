"""List the tokens of a fleet, without decrypting one: `token list`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from scimconf.model import Realm, Reference, Server, VaultValue
from scimconf.tokens.entries import Entry, Key, Record, Removed
from scimconf.tokens.fingerprint import is_of_generated
from scimconf.tokens.rotation import days_old, kept_until, older_than, without_expired

BITS = 256
"""The random bits in a token that scimconf generated."""

State = Literal["in force", "missing", "not recorded", "removed", "not in the inventory"]


@dataclass(frozen=True, slots=True)
class Row:
    """What is known about the token of one realm."""

    deployment: str
    realm: str
    servers: tuple[str, ...]
    """The servers of the deployment; empty if the inventory does not name the realm."""
    state: State
    """`missing`: no token yet. `not recorded`: it is kept elsewhere, and no `apply` has fetched it
    yet. `removed`: kept for a rollback."""
    kept: str
    """Where the token is kept."""
    created: str = ""
    """When the token in force was made or first seen, UTC."""
    days: int | None = None
    rotated: str = ""
    """When it replaced the previous token; "" if that is no longer kept."""
    staged: str = ""
    """When the staged token was made."""
    previous_until: str = ""
    """Until when the previous token (or that of a removed realm) is kept."""
    bits: int | None = None
    """The bits of randomness; None if that is not known without the token."""

    @property
    def label(self) -> str:
        """The realm's name for people."""
        return self.realm or "(root)"


def rows(
    servers: Iterable[Server],
    records: Mapping[Key, Record],
    now: datetime,
    named: Iterable[Key] | None = None,
) -> list[Row]:
    """Return a row for each realm of the servers, sorted by deployment and realm.

    `named`: all places that the inventory names. Then the entries of other places are listed, too.
    """
    places: dict[Key, tuple[Realm, list[str]]] = {}
    for server in servers:
        for realm in server.realms:
            key = (server.deployment, realm.string_id)
            places.setdefault(key, (realm, []))[1].append(server.name)
    found = [_row(key, realm, names, records, now) for key, (realm, names) in places.items()]
    if named is not None:
        found += _strays(records, {*named}, now)
    return sorted((each for each in found if each), key=lambda row: (row.deployment, row.realm))


def older(row: Row, age: timedelta, now: datetime) -> bool:
    """Return whether a token that is in force is older than `age`."""
    return row.state == "in force" and older_than(Entry("", row.created), age, now)


def _row(
    key: Key, realm: Realm, servers: list[str], records: Mapping[Key, Record], now: datetime
) -> Row | None:
    record = records.get(key)
    entry = record if isinstance(record, Entry) else None
    kept = _kept(realm)
    if not realm.present:
        return (
            _removed(key, record, now, tuple(servers))
            if isinstance(record, Removed)
            else (
                _of_entry(key, entry, "in force", "token file", now, tuple(servers))
                if entry
                else None
            )
        )
    is_elsewhere = realm.token is not None
    if entry is None or is_elsewhere is not (entry.ciphertext is None):
        state: State = "not recorded" if is_elsewhere else "missing"
        return Row(*key, tuple(servers), state, kept if is_elsewhere else "")
    return _of_entry(key, entry, "in force", kept, now, tuple(servers))


def _of_entry(
    key: Key, entry: Entry, state: State, kept: str, now: datetime, servers: tuple[str, ...] = ()
) -> Row:
    pruned = without_expired(entry, now)
    previous = pruned.previous if isinstance(pruned, Entry) else None
    return Row(
        *(*key, servers, state, kept),
        created=entry.created,
        days=days_old(entry, now),
        rotated=previous.retired if previous else "",
        staged=entry.next.created if entry.next else "",
        previous_until=kept_until(previous.retired) if previous else "",
        bits=BITS if is_of_generated(entry.fingerprint) else None,
    )


def _removed(key: Key, record: Removed, now: datetime, servers: tuple[str, ...] = ()) -> Row | None:
    kept = without_expired(record, now)
    if not isinstance(kept, Removed) or kept.entry is None:
        return None
    return Row(
        *(*key, servers, "removed", "token file"),
        created=kept.entry.created,
        days=days_old(kept.entry, now),
        previous_until=kept_until(record.removed),
    )


def _strays(records: Mapping[Key, Record], named: set[Key], now: datetime) -> Iterator[Row | None]:
    for key, record in records.items():
        if key in named:
            continue
        if isinstance(record, Removed):
            yield _removed(key, record, now)
        else:
            kept = "token file" if record.ciphertext else "elsewhere"
            yield _of_entry(key, record, "not in the inventory", kept, now)


def _kept(realm: Realm) -> str:
    """Return where the token of a realm is kept, in words."""
    if isinstance(realm.token, Reference):
        return str(realm.token)
    if isinstance(realm.token, VaultValue):
        return "inventory (vault value)"
    return "inventory (clear text)" if realm.token is not None else "token file"

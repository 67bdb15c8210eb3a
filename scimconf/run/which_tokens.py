"""Select the tokens of a rotation, and find other realms with the same tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from scimconf.errors import UsageError
from scimconf.fleet.look import Looked
from scimconf.inventory import Inventory
from scimconf.model import Server
from scimconf.plan.commands import command, commands
from scimconf.run.person import Person
from scimconf.run.which_realms import with_only
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.rotation import older_than, pruned
from scimconf.tokens.store import Entry, Key

_log = logging.getLogger(__name__)

Mode = Literal["at once", "stage", "activate", "back"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tokens that the command line selects."""

    mode: Mode
    realms: tuple[str, ...]
    older_than: timedelta | None
    replace_staged: bool = False
    """With --stage: replace tokens that are staged already."""

    def narrowed(self, servers: Sequence[Server], keyring: Keyring, person: Person) -> list[Server]:
        """Return the servers with only the selected realms, so that no other realm changes."""
        narrowed = []
        for server in servers:
            named = tuple(
                realm
                for realm in server.realms
                if realm.present and (not self.realms or realm.string_id in self.realms)
            )
            for realm in named:
                if realm.token is not None:
                    person.tell(
                        f"left out: the token of realm {realm.label} of {server.name} is not in "
                        "the token file"
                    )
            selected = tuple(
                realm
                for realm in named
                if realm.token is None
                and self._selects(keyring.file.entry(server.deployment, realm.string_id))
            )
            if selected:
                narrowed.append(with_only(server, selected))
        return narrowed

    def _selects(self, entry: Entry | None) -> bool:
        now = datetime.now(timezone.utc)
        if entry is None or entry.ciphertext is None:
            return False
        newest = (
            entry.next if self.mode == "stage" and entry.next and self.replace_staged else entry
        )
        if self.older_than is not None and not older_than(newest, self.older_than, now):
            return False
        if self.mode == "activate":
            return entry.next is not None
        if self.mode == "back":
            return pruned(entry, now).previous is not None
        return True


def already_staged(keys: Iterable[Key], keyring: Keyring) -> list[Key]:
    """Return the keys that have a staged token: somebody may have its hand-off sheet."""
    return [key for key in keys if (entry := keyring.file.entry(*key)) and entry.next]


def present_dates(keys: Iterable[Key], looked: Sequence[Looked]) -> dict[Key, str]:
    """Return the dates of the tokens that all servers of a deployment have, if they are replaced.

    After an undo, it may be an older token than the one that was replaced last.
    """
    found: dict[Key, set[str]] = {}
    for each in looked:
        for key in keys_of(each.server):
            realm = each.observed.realms.get(key[1]) if each.observed else None
            token = realm.token if realm else None
            created = token.created if token and not token.matches else ""
            found.setdefault(key, set()).add(created)
    return {key: dates.pop() for key in keys if len(dates := found.get(key, {""})) == 1}


def unfinished(verb: str, servers: Sequence[Server], keys: Iterable[Key]) -> list[str]:
    """Return the commands for exactly these tokens. They name all servers of a deployment."""
    names: dict[str, list[str]] = {}
    for server in servers:
        names.setdefault(server.deployment, []).append(server.name)
    realms: dict[tuple[str, ...], list[str]] = {}
    for deployment, realm in keys:
        realms.setdefault(tuple(names[deployment]), []).append(realm)
    return commands(verb, realms, servers[0].words) if servers else []


def keys_of(server: Server) -> Iterator[Key]:
    """Return the keys of the server's tokens in the token file."""
    return ((server.deployment, realm.string_id) for realm in server.realms)


def check_whole(servers: Sequence[Server], inventory: Inventory) -> None:
    """Raise UsageError if a server of a deployment is not selected: it would keep the old token."""
    chosen = {server.name for server in servers}
    deployments = {server.deployment for server in servers}
    for server in inventory.servers.values():
        if server.deployment in deployments and server.name not in chosen:
            raise UsageError(
                f"{server.name} also belongs to deployment {server.deployment}, and would keep the "
                "old token",
                f"select {server.name} too: all servers of a deployment must be rotated together",
            )
    for name, deployment in inventory.broken.items():
        if deployment is None or deployment in deployments:
            known = deployment or "an unknown deployment"
            raise UsageError(
                f"{name} belongs to {known} and its variables have errors, so it could keep the "
                "old token",
                f"correct them first: {command('inventory check', (), (), servers[0].words)}",
            )


def who_shares(keyring: Keyring, keys: Iterable[Key], inventory: Inventory) -> Mapping[Key, str]:
    """Return a warning for each token that other realms have, too: a leak concerns them as well.

    Tokens that no given vault password decrypts are not compared.
    """
    by_deployment: dict[str, list[str]] = {}
    for server in inventory.servers.values():
        by_deployment.setdefault(server.deployment, []).append(server.name)

    def named(key: Key) -> str:
        servers = by_deployment.get(key[0], [])
        return listed([key]) + (f" ({', '.join(servers)})" if servers not in ([], [key[0]]) else "")

    return {
        key: f"the token of {listed([key])} is also used by {', '.join(map(named, others))}"
        for key, others in keyring.sharing(keys).items()
        if others
    }


def tell_what_is_replaced(keyring: Keyring, keys: Iterable[Key], person: Person) -> None:
    """Warn about staged tokens that are replaced: their sheets may have been handed over."""
    for key in keys:
        entry = keyring.file.entry(*key)
        if entry and entry.next:
            person.warn(
                f"the staged token of {listed([key])}, made {entry.next.created}, is "
                "replaced; a hand-off sheet with it is no longer valid"
            )


def listed(keys: Iterable[Key]) -> str:
    """Name these tokens in a sentence."""
    return ", ".join(f"realm {realm or '(root)'} of {deployment}" for deployment, realm in keys)

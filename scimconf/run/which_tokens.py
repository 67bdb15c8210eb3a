"""Select the tokens of a rotation, and find other realms with the same tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Literal

from scimconf.errors import UsageError
from scimconf.inventory import Inventory
from scimconf.model import Server
from scimconf.run.person import Person
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

    def narrowed(self, servers: Sequence[Server], keyring: Keyring, person: Person) -> list[Server]:
        """Return the servers with only the selected realms, so that no other realm changes.

        Raises UsageError for a realm that no server has.
        """
        known = {realm.string_id for server in servers for realm in server.realms if realm.present}
        if unknown := set(self.realms) - known:
            names = ", ".join(sorted(each or "(root)" for each in unknown))
            raise UsageError(f"no selected server has realm {names}")
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
                rest = frozenset(each.string_id for each in server.realms if each not in selected)
                narrowed.append(replace(server, realms=selected, left_alone=rest, unmanaged="keep"))
        return narrowed

    def _selects(self, entry: Entry | None) -> bool:
        now = datetime.now(timezone.utc)
        if entry is None or entry.ciphertext is None:
            return False
        # For --stage, the age of a staged token counts. So a --stage every night does not replace
        # it and make its hand-off sheet invalid.
        newest = entry.next if self.mode == "stage" and entry.next else entry
        if self.older_than is not None and not older_than(newest, self.older_than, now):
            return False
        if self.mode == "activate":
            return entry.next is not None
        if self.mode == "back":
            return pruned(entry, now).previous is not None
        return True


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
                "correct them first: scimconf inventory check",
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

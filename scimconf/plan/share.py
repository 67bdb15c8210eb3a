"""Count how many of the existing realms a run would change or remove (`--allow-many`). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scimconf.model import ActionKind, Observed, Plan, Server

_LEAST = 5
"""Fewer changes are never too many: a small fleet is often changed as a whole."""
_PART = 3
"""More than one in three of the existing realms is too many."""

_COUNTED = (
    ActionKind.SET_SECRET,
    ActionKind.SET_REALM,
    ActionKind.REMOVE_REALM,
    ActionKind.REMOVE_SECRET,
)
"""Actions that change what a realm has on the server. A restart or a record in the token file does
not, and a registered client only completes an entry."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the existing realms that a run would change or remove."""

    changed: int
    existing: int

    @property
    def is_many(self) -> bool:
        """Whether `apply` needs --allow-many: at least 5 realms, and more than a third."""
        return self.changed >= _LEAST and _PART * self.changed > self.existing

    @property
    def text(self) -> str:
        """The share in words: "7 of 12 existing realms would change"."""
        return f"{self.changed} of {self.existing} existing realms would change"


def share(servers: Iterable[tuple[Server, Observed, Plan]]) -> Share:
    """Return the share of the existing realms of these servers that their plans change.

    A realm exists if a server has it, whether the inventory names it or not. New realms and the
    realms that --realm leaves out do not count. The servers of a deployment have the same realms,
    so a realm counts once for its deployment: five web servers of one Zulip are not five changes.
    """
    existing: set[tuple[str, str]] = set()
    changed: set[tuple[str, str]] = set()
    for server, observed, plan in servers:
        touched = {action.realm for action in plan.actions if action.kind in _COUNTED}
        for realm in observed.realms.keys() - server.left_alone:
            existing.add((server.deployment, realm))
            if realm in touched:
                changed.add((server.deployment, realm))
    return Share(len(changed), len(existing))

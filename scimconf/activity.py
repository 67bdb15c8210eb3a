"""What a server has logged about the identity provider of a realm. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A SCIM request that the server has logged."""

    at: float
    """By the server's clock, in seconds since 1970."""
    status: int
    """The HTTP status of the answer."""
    request: str
    """Method and resource, such as "GET Users"."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The requests of a realm's identity provider.

    The identity provider is every program that has sent the right token, by the name in its
    User-Agent. All others are strangers, such as scanners.
    """

    accepted: SeenRequest | None = None
    """The last request that Zulip accepted."""
    first: SeenRequest | None = None
    """The first one that Zulip accepted after the moment that the question named."""
    refused: SeenRequest | None = None
    """The last request that Zulip refused, or answered with a server error."""
    failing_since: float | None = None
    """When requests began to fail; None: the last request was accepted, or there was none."""
    failing: int = 0
    """How many requests have failed since then."""
    hour: Mapping[int, int] = field(default_factory=dict)
    """HTTP status -> requests in the last hour."""
    day: Mapping[int, int] = field(default_factory=dict)
    stranger: SeenRequest | None = None
    """The last refused request of a stranger."""
    strangers_hour: int = 0
    strangers_day: int = 0


@dataclass(frozen=True, slots=True)
class ServerLog:
    """What a server has logged about the identity providers of its realms."""

    now: float
    """The server's clock."""
    oldest: float | None
    """The time of the oldest line that was read; None: there is no line."""
    complete: bool
    """Whether everything was read that the answer needs."""
    changed: float | None
    """When scimconf's last change of this server ended; None: there was none."""
    realms: Mapping[str, Seen]
    """By subdomain. A realm that Zulip does not have is missing."""


class State(Enum):
    """How a realm's identity provider is doing."""

    OK = "ok"
    FAILING = "failing"
    SILENT = "silent"
    UNSEEN = "not seen"
    MISSING = "no such realm"
    NOT_BACK = "not back"


@dataclass(frozen=True, slots=True)
class Activity:
    """The state of a realm's identity provider, in words and in numbers."""

    realm: str
    state: State
    message: str
    hint: str = ""
    seen: Seen = field(default=Seen())
    details: str = ""
    """The numbers of requests, in words."""
    now: float = 0.0
    """The server's clock, in seconds since 1970."""

    @property
    def needs_attention(self) -> bool:
        """Whether somebody must look at it."""
        return self.state not in (State.OK, State.UNSEEN)

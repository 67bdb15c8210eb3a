"""Parse the paths of a request. Every request has them."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from scimconf.agent.errors import AgentError


class Paths(NamedTuple):
    """The paths and the user of Zulip."""

    settings: str
    secrets: str
    deployment: str
    user: str


def read(plain: Mapping[str, Any]) -> Paths:
    """Read the `paths` of any request. Raises AgentError."""
    try:
        names = ("settings", "secrets", "deployment", "user")
        return Paths(**{name: text(plain["paths"][name]) for name in names})
    except (LookupError, TypeError, ValueError):
        raise malformed() from None


def text(value: object) -> str:
    """Return a text of a request. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError
    return value


def malformed() -> AgentError:
    """Return the error for a request that does not follow docs/agent.md."""
    return AgentError(
        "the request does not have the format that this agent expects",
        "this is a bug in scimconf: please report it",
    )

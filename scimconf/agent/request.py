"""Parse requests and check their types. The values of a `Request` need no further check."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from scimconf.agent import applied_tokens, paths
from scimconf.agent.clients import Client
from scimconf.agent.errors import redacted
from scimconf.agent.paths import Paths, malformed, text


@redacted
class Request(NamedTuple):
    """A request to apply (docs/agent.md)."""

    paths: Paths
    probe: Optional[str]
    settings_sha256: str
    secrets_sha256: Optional[str]
    entries: Mapping[str, Optional[str]]
    keep_empty: bool
    """Whether `SCIM_CONFIG = {}` stays when the last realm is removed."""
    wanted: Mapping[str, Optional[Mapping[str, Any]]]
    new_secrets: Mapping[str, str]
    old_secrets: Tuple[str, ...]
    clients_added: Tuple[Client, ...]
    clients_removed: Tuple[Client, ...]
    restart: Optional[Tuple[str, ...]]
    restart_seconds: float
    gate: Optional[Mapping[str, Tuple[str, Optional[str]]]]
    """Host and token by realm."""
    gate_seconds: float
    applied: Mapping[str, applied_tokens.Record]
    """The fingerprint of each token that will come into force, by realm."""

    @property
    def tokens(self) -> Tuple[str, ...]:
        """Return all tokens, which must never be shown."""
        wanted = [str(each["bearer_token"]) for each in self.wanted.values() if each]
        gate = [token for _, token in (self.gate or {}).values() if token]
        return (*self.new_secrets.values(), *wanted, *gate)


def lock_seconds(plain: Mapping[str, Any]) -> float:
    """Read how long a request may wait for the lock. Raises AgentError."""
    try:
        return float(plain.get("lock_timeout", 0))
    except (TypeError, ValueError):
        raise malformed() from None


def parse(plain: Mapping[str, Any]) -> Request:
    """Read a request to apply. Raises AgentError if it does not follow docs/agent.md."""
    try:
        return _parse(plain)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise malformed() from None


def _parse(plain: Mapping[str, Any]) -> Request:
    gate, restart = plain["gate"], plain["restart"]
    return Request(
        paths=paths.read(plain),
        probe=_text_or_none(plain["probe"]),
        settings_sha256=text(plain["expect"]["settings_sha256"]),
        secrets_sha256=_text_or_none(plain["expect"]["secrets_sha256"]),
        entries={text(realm): _text_or_none(entry) for realm, entry in plain["entries"].items()},
        keep_empty=plain.get("keep_empty") is True,
        wanted={text(realm): _wanted(each) for realm, each in plain["wanted"].items()},
        new_secrets={text(k): text(v) for k, v in plain["secrets"]["set"].items()},
        old_secrets=tuple(_scim_only(name) for name in plain["secrets"]["remove"]),
        clients_added=_clients(plain["clients"]["add"]),
        clients_removed=_clients(plain["clients"]["remove"]),
        restart=None if restart is None else tuple(text(word) for word in restart) or None,
        restart_seconds=float(plain["restart_timeout"]),
        gate=None if gate is None else {text(realm): _asked(each) for realm, each in gate.items()},
        gate_seconds=float(plain["gate_timeout"]),
        applied=applied_tokens.request(plain.get("fingerprints", {})),
    )


def _scim_only(name: object) -> str:
    """Read the name of a secret to remove. Only SCIM secrets may be removed."""
    found = text(name)
    if not found.startswith("scim_"):
        raise ValueError
    return found


def _text_or_none(value: object) -> Optional[str]:
    return None if value is None else text(value)


def _wanted(value: object) -> Optional[Dict[str, Any]]:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError
    text(value["bearer_token"])
    return value


def _clients(value: Any) -> Tuple[Client, ...]:
    return tuple((text(realm), text(name)) for realm, name in value)


def _asked(value: Any) -> Tuple[str, Optional[str]]:
    return text(value["host"]), _text_or_none(value["token"])

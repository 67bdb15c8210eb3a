"""A plan in a file: what was approved, to be compared with what a later `apply` would do.

Nothing is carried out from the file. Two plans are equal where they do equal things to equal
files of the same server, by the same inventory (docs/applying.md, "Saved plans").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path

from scimconf import __version__
from scimconf.errors import UsageError
from scimconf.foreign import one_line
from scimconf.model import Desired, Outcome, Realm, Server, Status, TokenSource, VaultValue
from scimconf.secret import Secret
from scimconf.survey import Surveyed
from scimconf.tokens import durable

VERSION = 1
_MARK = "scimconf_plan"
_LARGEST = 64 << 20
"""Bytes of a plan file that are read."""

Facts = Mapping[str, object]


def save(path: Path, surveyed: Sequence[Surveyed]) -> None:
    """Write what the plans say, mode 0600, no token in it. Raises UsageError."""
    document = {
        _MARK: VERSION,
        "scimconf": __version__,
        "saved": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "servers": [_facts(each) for each in surveyed],
    }
    durable.put(path, json.dumps(document, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan file says, by server."""

    path: Path
    servers: Mapping[str, Facts]

    def check_selection(self, servers: Iterable[Server]) -> None:
        """Raise UsageError where the plan is not about exactly these servers."""
        names = {server.name for server in servers}
        for name in sorted({*self.servers} ^ names):
            where = "is not in the plan" if name in names else "is in the plan only"
            raise UsageError(
                f"{self.path} is a plan for other servers: {one_line(name, 100)} {where}",
                "give the inventory, PATTERN and --limit that it was made with",
            )

    def refusal(self, surveyed: Sequence[Surveyed]) -> list[Outcome]:
        """Give the outcomes of a run that the plan does not cover; empty where it covers all."""
        moved = {each.outcome.server: self._moved_on(each) for each in surveyed}
        names = ", ".join(name for name, why in moved.items() if why)
        if not names:
            return []
        hint = "plan again: scimconf plan --out FILE"
        outcomes = []
        for each in surveyed:
            outcome, why = each.outcome, moved[each.outcome.server]
            if outcome.status in (Status.OK, Status.PENDING) and why:
                message = f"moved on since the plan was saved: {why}"
                outcome = replace(outcome, status=Status.FAILED, message=message, hint=hint)
            elif each.pending:
                message = f"not begun: the saved plan no longer holds for {names}"
                outcome = replace(outcome, status=Status.SKIPPED, message=message)
            outcomes.append(outcome)
        return outcomes

    def _moved_on(self, each: Surveyed) -> str:
        return "; ".join(_differences(self.servers[each.outcome.server], _facts(each)))


def load(path: Path) -> SavedPlan:
    """Read a plan file. Raises UsageError where it is none, or one of another version."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    nonsense = UsageError(f"{path} is no plan of scimconf", "make one: scimconf plan --out FILE")
    try:
        document = json.loads(data[: _LARGEST + 1])
    except (ValueError, RecursionError):
        raise nonsense from None
    if not isinstance(document, dict) or len(data) > _LARGEST:
        raise nonsense
    if document.get(_MARK, VERSION) != VERSION:
        raise UsageError(f"{path} is a plan of another version of scimconf", "plan again")
    servers = document.get("servers")
    if _MARK not in document or not isinstance(servers, list):
        raise nonsense
    by_name = {}
    for each in servers:
        name = each.get("server") if isinstance(each, dict) else None
        if not isinstance(name, str) or name in by_name:
            raise nonsense
        by_name[name] = each
    return SavedPlan(path, by_name)


# --- what is compared -------------------------------------------------------------------------


def _facts(each: Surveyed) -> Facts:
    """Give all that makes up the plan of one server, as JSON gives it back."""
    plan = each.plan
    facts = {
        "server": each.outcome.server,
        "status": each.outcome.status.value,
        "zulip_version": plan.version if plan else None,
        "settings_sha256": plan.settings_sha256 if plan else None,
        "secrets_sha256": plan.secrets_sha256 if plan else None,
        "actions": [
            {"kind": action.kind.value, "realm": action.realm, "text": action.text}
            for action in (plan.actions if plan else ())
        ],
        "unmanaged": [each.text for each in (plan.unmanaged if plan else ())],
        "diff": plan.diff if plan else "",
        "inventory": _inventory(each.desired),
    }
    plain: Facts = json.loads(json.dumps(facts, default=_plain))
    return plain


def _inventory(desired: Desired) -> Facts:
    """Give what the inventory says of a server, but how we get in and where it says it."""
    server, way = desired.server, desired.server.connection
    return {
        **_fields(server, "position", "connection", "ca", "realms", "left_alone"),
        "address": [way.kind, way.host, way.port],
        "realms": {realm.string_id: _realm(realm) for realm in server.realms},
        # Which token it is, not even its salted fingerprint.
        "tokens": {
            name: hashlib.sha256(fingerprint.encode()).hexdigest()[:16]
            for name, fingerprint in desired.fingerprints.items()
        },
    }


def _realm(realm: Realm) -> Facts:
    return {**_fields(realm, "position", "token"), "token": _kept(realm.token)}


def _kept(token: TokenSource) -> str | None:
    """Say where a token is kept."""
    if token is None:
        return None
    return "inventory" if isinstance(token, Secret | VaultValue) else str(token)


def _fields(noun: Server | Realm, *without: str) -> dict[str, object]:
    return {
        each.name: getattr(noun, each.name) for each in fields(noun) if each.name not in without
    }


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else asdict(value)  # type: ignore[call-overload]


# --- what is not equal ------------------------------------------------------------------------

_CHANGED = {
    "status": "it stands otherwise",
    "settings_sha256": "settings.py was changed",
    "secrets_sha256": "zulip-secrets.conf was changed",
    "diff": "the change is another one",
    "unmanaged": "its unmanaged realms are others",
}


def _differences(saved: Facts, now: Facts) -> Iterator[str]:
    for name in now:
        before, after = saved.get(name), now[name]
        if before == after:
            continue
        if name == "zulip_version":
            yield f"Zulip is {after or 'not known'}, and was {one_line(str(before), 40)}"
        elif name == "actions":
            yield from _actions(before, after)
        elif name == "inventory":
            yield f"the inventory says something else: {_keys(before, after)}"
        else:
            yield _CHANGED.get(name, name)


def _actions(before: object, after: object) -> Iterator[str]:
    old, new = _texts(before), _texts(after)
    yield from (f"now also: {text}" for text in new if text not in old)
    yield from (f"not any more: {one_line(text, 200)}" for text in old if text not in new)


def _texts(actions: object) -> list[str]:
    found = actions if isinstance(actions, list) else []
    return [str(each.get("text")) if isinstance(each, dict) else "?" for each in found]


def _keys(before: object, after: object) -> str:
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    return ", ".join(sorted(key for key in new if new[key] != old.get(key))) or "something"

"""Save a plan for approval, and compare it with what a later `apply` would do.

`apply` carries out its own plan, never that of the file. Two plans are equal if they make the same
changes to the same files of the same server, with the same inventory (docs/applying.md, "Saved
plans").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import takewhile
from pathlib import Path

from scimconf import __version__, files
from scimconf.errors import UsageError
from scimconf.fleet.look import Looked
from scimconf.model import Desired, Outcome, Reference, Server, Status
from scimconf.run.binding import way
from scimconf.sanitize import one_line, visible

VERSION = 2
_MARK = "scimconf_plan"
_LARGEST = 64 << 20
"""The largest plan file, in bytes."""

_AGAIN = "plan again: plan --out FILE, with the same servers and options"

Facts = Mapping[str, object]


def save(path: Path, looked: Sequence[Looked]) -> None:
    """Write the plans into a file with mode 0600. It contains no token. Raises UsageError."""
    document = {
        _MARK: VERSION,
        "scimconf": __version__,
        "saved": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "servers": [_facts(each) for each in looked],
    }
    files.write_output(path, json.dumps(document, indent=2) + "\n")


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The content of a plan file, by server."""

    path: Path
    servers: Mapping[str, Facts]

    def check_selection(self, servers: Sequence[Server]) -> None:
        """Raise UsageError unless the plan is for exactly these servers, and realms of --realm."""
        names = {server.name for server in servers}
        for name in sorted({*self.servers} ^ names):
            where = "is not in the plan" if name in names else "is not selected"
            raise UsageError(
                f"{self.path} is a plan for other servers: {one_line(name, 100)} {where}",
                "use the inventory, PATTERN, --limit and --realm that the plan was made with",
            )
        for server in servers:
            saved, now = self.servers[server.name].get("realms"), _realms(server)
            if saved != now:
                raise UsageError(
                    f"{self.path} is a plan for {_selection(saved)} of {server.name}, not for "
                    f"{_selection(now)}",
                    "use the --realm options that the plan was made with",
                )

    def other_way(self, servers: Iterable[Server]) -> list[Outcome]:
        """Return the outcomes of a refused run if a `way` fact has changed; empty if none has.

        No server is contacted before this check, because the inventory may lead to another machine.
        """
        said = {
            each.name: "".join(_changes(each.name, self._way(each.name), _way(each)))
            for each in servers
        }
        if not any(said.values()):
            return []
        names = ", ".join(name for name, why in said.items() if why)
        skipped = f"not started: the saved plan is no longer valid for {names}"
        return [
            Outcome(name, Status.FAILED, f"changed since the plan was saved: {why}", _AGAIN)
            if why
            else Outcome(name, Status.SKIPPED, skipped)
            for name, why in said.items()
        ]

    def refusal(self, looked: Sequence[Looked]) -> list[Outcome]:
        """Return the outcomes of a refused run if a server differs from the plan; else empty."""
        found = ((each.server.name, self._changed_since(each)) for each in looked)
        changed = {name: why for name, why in found if why}
        return self.refused(looked, changed) if changed else []

    def refused(self, looked: Sequence[Looked], changed: Mapping[str, str]) -> list[Outcome]:
        """Return the outcomes of a refused run. `changed`: by server, what has changed."""
        names = ", ".join(changed)
        outcomes = []
        for each in looked:
            outcome, why = each.outcome, changed.get(each.server.name)
            if outcome.status in (Status.OK, Status.PENDING) and why:
                message = f"changed since the plan was saved: {why}"
                outcome = replace(outcome, status=Status.FAILED, message=message, hint=_AGAIN)
            elif each.pending:
                message = f"not started: the saved plan is no longer valid for {names}"
                outcome = replace(outcome, status=Status.SKIPPED, message=message)
            outcomes.append(outcome)
        return outcomes

    def _way(self, name: str) -> Facts:
        return _mapping(self.servers[name].get("way"))

    def _changed_since(self, each: Looked) -> str:
        return "; ".join(_differences(self.servers[each.server.name], _facts(each)))


def load(path: Path) -> SavedPlan:
    """Read a plan file. Raises UsageError for any other file, or a plan of another version."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    nonsense = UsageError(
        f"{path} is not a plan of scimconf", "to make one, add --out FILE to plan"
    )
    try:
        document = json.loads(data[: _LARGEST + 1])
    except (ValueError, RecursionError):
        raise nonsense from None
    if not isinstance(document, dict) or len(data) > _LARGEST:
        raise nonsense
    if document.get(_MARK, VERSION) != VERSION:
        raise UsageError(f"{path} is a plan of another version of scimconf", _AGAIN)
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


# --- the facts to compare ---------------------------------------------------------------------


def _facts(each: Looked) -> Facts:
    """Return the plan of one server as plain JSON values."""
    plan = each.plan
    facts = {
        "server": each.server.name,
        "realms": _realms(each.server),
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
        "way": _way(each.desired.server),
        "tokens": _tokens(each.desired),
    }
    plain: Facts = json.loads(json.dumps(facts))
    return plain


def _realms(server: Server) -> list[str] | None:
    """Return the realms that --realm selects; None if it is not given."""
    return sorted(each.string_id for each in server.realms) if server.is_partial else None


def _selection(realms: object) -> str:
    if not isinstance(realms, list):
        return "all realms"
    return f"only realm {', '.join(one_line(str(each), 100) or '(root)' for each in realms)}"


def _way(server: Server) -> dict[str, str]:
    return {fact.source: fact.value for fact in way(server) if fact.bound}


def _tokens(desired: Desired) -> Facts:
    """Return an identifier of each realm's token: a hash of its fingerprint.

    Leave out references: `way` has their words, and their tokens are fetched after the approval.
    """
    elsewhere = {
        realm.string_id for realm in desired.server.realms if isinstance(realm.token, Reference)
    }
    return {
        name: hashlib.sha256(fingerprint.hash.encode()).hexdigest()[:16]
        for name, fingerprint in desired.fingerprints.items()
        if name not in elsewhere and name not in desired.unrecorded
    }


# --- differences ------------------------------------------------------------------------------

_CHANGED = {
    "status": "its status is different",
    "settings_sha256": "settings.py was changed",
    "secrets_sha256": "zulip-secrets.conf was changed",
    "diff": "the change is different",
    "unmanaged": "its unmanaged realms are different",
}


_MOST = 8
"""The most facts about the way that a message lists."""
_SHOWN = 200
"""The most characters of a value that a message shows."""


_FOLLOWING = ("status", "diff")
"""Facts that follow from others: a message lists them only if nothing else differs."""


def _differences(saved: Facts, now: Facts) -> Iterator[str]:
    changed = [name for name in now if saved.get(name) != now[name]]
    for name in [each for each in changed if each not in _FOLLOWING] or changed:
        before, after = saved.get(name), now[name]
        if name == "zulip_version":
            yield f"the Zulip version was {one_line(str(before), 40)}, is now {after or 'unknown'}"
        elif name == "actions":
            yield from _actions(before, after)
        elif name == "way":
            yield from _changes(str(now["server"]), _mapping(before), _mapping(after))
        elif name == "tokens":
            yield f"the token is different: {_keys(before, after)}"
        else:
            yield _CHANGED.get(name, name)


def _actions(before: object, after: object) -> Iterator[str]:
    old, new = _texts(before), _texts(after)
    yield from (f"now also planned: {text}" for text in new if text not in old)
    yield from (f"no longer planned: {one_line(text, 200)}" for text in old if text not in new)


def _texts(actions: object) -> list[str]:
    found = actions if isinstance(actions, list) else []
    return [str(each.get("text")) if isinstance(each, dict) else "?" for each in found]


def _changes(server: str, old: Facts, new: Facts) -> Iterator[str]:
    """Describe the facts about the way to a server that differ, at most _MOST."""
    pairs = {name: (str(old.get(name, "")), str(new.get(name, ""))) for name in {**new, **old}}
    changed = [name for name, (before, after) in pairs.items() if before != after]
    if not changed:
        return
    texts = []
    for name in changed[:_MOST]:
        was, now = _excerpts(*pairs[name])
        texts.append(f"{visible(name, 100)} of {server} was {was}, is now {now}")
    if len(changed) > _MOST:
        texts.append(f"and {len(changed) - _MOST} more")
    yield f"the inventory was changed: {'; '.join(texts)}"


def _excerpts(*texts: str) -> Iterator[str]:
    """Yield the texts for a message; of long texts, the part where they begin to differ."""
    alike = takewhile(lambda pair: len(set(pair)) == 1, zip(*texts, strict=False))
    start = max(0, sum(1 for _ in alike) - _SHOWN // 4)
    for text in texts:
        skipped = "[...] " if start and len(text) > _SHOWN else ""
        yield skipped + visible(text[start if skipped else 0 :], _SHOWN) if text else "not set"


def _keys(before: object, after: object) -> str:
    old, new = _mapping(before), _mapping(after)
    changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    return ", ".join(f"realm {visible(key, 100) or '(root)'}" for key in changed) or "something"


def _mapping(facts: object) -> Facts:
    return facts if isinstance(facts, dict) else {}

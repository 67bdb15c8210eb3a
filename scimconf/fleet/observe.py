"""Request the facts of a server, and check the type of each fact.

The facts (docs/agent.md) come from a server that may be broken or hostile. They are checked only
here; an `Observed` needs no further check.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar, overload
from urllib.parse import urlsplit

from scimconf.errors import HostError
from scimconf.model import (
    NOTHING,
    Desired,
    Fingerprint,
    FinishedAlone,
    Observed,
    ObservedRealm,
    ObservedToken,
    Paths,
    Site,
)
from scimconf.zulip.bearer import secret_name
from scimconf.zulip.keys import FIELD_MAP

LARGEST_BLOCK = 256 * 1024
"""Characters of a SCIM_CONFIG, enough for more than a thousand realms. Python's parser needs about
800 bytes of memory per character."""

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

_NOTE = re.compile(rf"{_DATE.pattern}( paused before)?", re.ASCII)
"""The note of a delivery, as the token file has it."""

T = TypeVar("T")
Message = Mapping[str, object]


class Agent(Protocol):
    """A conversation with the agent on one server (`scimconf.ssh`)."""

    def ask(self, request: Message, seconds: float | None = None) -> Iterable[Message]:
        """Send one request; return its step messages and then the final message.

        Raises HostError if the final message does not arrive in `seconds`. None: the time limit for
        requests that change nothing.
        """
        ...


def observe(agent: Agent, desired: Desired, *, read_only: bool = False) -> Observed:
    """Return the facts of the server of `agent`.

    `read_only`: the user may lack the rights to change anything. Raises HostError if the agent
    reports an error, or if its answer is invalid.
    """
    asked = request(desired)
    answer = final(agent.ask({**asked, "read_only": True} if read_only else asked), "observe")
    return parse(answer, desired.others, desired.strays)


def final(messages: Iterable[Message], step: str) -> Message:
    """Return the final message. Raises HostError if it is missing or reports an error."""
    last = next(iter(deque(messages, maxlen=1)), {})
    if last.get("result") == "error":
        facts = Facts(last, step)
        raise HostError(facts.get("step", str), facts.get("message", str), facts.get("hint", str))
    if not last.get("final"):
        raise HostError(step, "the agent ended without an answer", "run the command again")
    return last


def request(desired: Desired) -> Message:
    """Build the request for all facts that a plan for this server needs."""
    server = desired.server
    in_secrets = server.token_store == "secrets"  # noqa: S105
    return {
        "do": "observe",
        "paths": paths(server.paths),
        "probe": server.probe,
        "ask": server.verify,
        "realms": {
            realm.string_id: {
                "host": host_of(realm.url),
                "client": realm.client,
                "secret": secret_name(realm.string_id) if in_secrets else None,
                "fields": realm.present and bool(FIELD_MAP.value(realm)),
                "fingerprint": _asked(desired.fingerprints.get(realm.string_id)),
                "others": [
                    _asked(each)
                    for known in (desired.others, desired.strays)
                    for each in known.get(realm.string_id, ())
                ],
            }
            for realm in server.realms
        },
    }


def _asked(known: Fingerprint | None) -> Message | None:
    return {"hash": known.hash, "place": known.place} if known else None


def host_of(url: str) -> str:
    """Return the Host header of a realm's URL: the name, and the port if it has one."""
    return urlsplit(url).netloc


def paths(where: Paths) -> Message:
    """Return the `paths` of a request."""
    return {
        "settings": where.settings,
        "secrets": where.secrets,
        "deployment": where.deployment,
        "user": where.user,
    }


_EMPTY: frozenset[str] = frozenset()
_NOBODY: frozenset[tuple[str, str]] = frozenset()


def parse(
    answer: Message,
    others: Mapping[str, tuple[Fingerprint, ...]] = NOTHING,
    strays: Mapping[str, tuple[Fingerprint, ...]] = NOTHING,
) -> Observed:
    """Build an Observed from the agent's final message. Raises HostError for a wrong type.

    `others` and `strays`: as in the request: fingerprints by realm, besides those of the wanted
    tokens.
    """
    facts = Facts(answer, "observe")
    clients = facts.get("clients", list, None)
    block = facts.get("block", str, None)
    if block is not None and len(block) > LARGEST_BLOCK:
        raise HostError(
            "observe",
            f"SCIM_CONFIG on the server has {len(block)} characters; the limit is {LARGEST_BLOCK}",
            "nothing was changed; check settings.py on the server",
        )
    return Observed(
        version=facts.get("version", str),
        has_client_command=facts.get("has_client_command", bool),
        external_host=facts.get("external_host", str, None),
        realm_hosts=facts.map("realm_hosts", str) or NOTHING,
        settings_sha256=facts.get("settings_sha256", str),
        secrets_sha256=facts.get("secrets_sha256", str, None),
        unknown_secrets=facts.get("unknown_secrets", str) or None,
        block=block,
        has_get_secret=facts.get("has_get_secret", bool),
        realms={
            name: _realm(
                name,
                Facts(entry, f"observe realms.{name}"),
                others.get(name, ()),
                strays.get(name, ()),
            )
            for name, entry in facts.map("realms", dict).items()
        },
        secret_names=_texts(facts, "secret_names"),
        right_secrets=_texts(facts, "right_secrets"),
        clients=None if clients is None else frozenset(_pair(item, facts) for item in clients),
        sites={
            name: _site(Facts(found, f"observe sites.{name}"))
            for name, found in facts.map("sites", dict).items()
        }
        or NOTHING,
        own_clients=frozenset(_pair(each, facts) for each in facts.get("own_clients", list))
        or _NOBODY,
        fields={
            name: Facts(found, f"observe fields.{name}").numbers()
            for name, found in facts.map("fields", dict).items()
        }
        or NOTHING,
        unknown_fields=facts.get("unknown_fields", str) or None,
        running={
            name: _status(status, facts) for name, status in facts.get("running", dict).items()
        }
        or NOTHING,
        blocked=facts.get("blocked", str) or None,
        interrupted=facts.get("interrupted", str) or None,
        at_work=facts.get("at_work", str) or None,
        finished_alone=_finished_alone(facts),
        lost=facts.get("lost", str) or None,
        given_secrets=_texts(facts, "given_secrets"),
        unseen=facts.get("unseen", str) or None,
        deliveries=_deliveries(facts) or NOTHING,
    )


def _deliveries(facts: Facts) -> Mapping[str, str]:
    found = facts.map("deliveries", str)
    if not all(map(_NOTE.fullmatch, found.values())):
        raise facts.nonsense("deliveries")
    return found


def _site(facts: Facts) -> Site:
    return Site(facts.get("status", int, None), facts.get("location", str))


def _finished_alone(facts: Facts) -> FinishedAlone | None:
    found = facts.get("finished_alone", dict, None)
    if found is None:
        return None
    run = Facts(found, f"{facts.where} finished_alone")
    return FinishedAlone(run.get("run", str), run.get("text", str))


def _realm(
    name: str,
    facts: Facts,
    others: tuple[Fingerprint, ...],
    strays: tuple[Fingerprint, ...],
) -> ObservedRealm:
    token = facts.get("token", dict, None)
    return ObservedRealm(
        string_id=name,
        values=facts.map("values", object),
        token=None if token is None else _token(Facts(token, facts.where), others, strays),
        secret_name=facts.get("secret_name", str, None),
        line=facts.get("line", int),
        column=facts.get("column", int),
        unreadable=facts.get("unreadable", str) or None,
    )


def _token(
    facts: Facts, others: tuple[Fingerprint, ...], strays: tuple[Fingerprint, ...]
) -> ObservedToken:
    other, created = facts.get("other", int, None), facts.get("created", str)
    known = (*others, *strays)
    stray = None
    if other is not None and 0 <= other < len(known):
        created = known[other].created
        if other >= len(others):
            deployment, realm, _ = json.loads(known[other].place)
            stray = (deployment, realm)
    return ObservedToken(
        length=facts.get("length", int),
        short=facts.get("short", str),
        matches=facts.get("matches", bool, None),
        created=created if _DATE.fullmatch(created) else "",
        stray=stray,
    )


def _texts(facts: Facts, name: str) -> frozenset[str]:
    """Return a set of texts. All empty sets are one object, which saves memory in a large fleet."""
    return frozenset(_text(each, facts) for each in facts.get(name, list)) or _EMPTY


def _text(value: object, facts: Facts) -> str:
    if not isinstance(value, str):
        raise facts.nonsense("a name that is not text")
    return value


def _pair(value: object, facts: Facts) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise facts.nonsense("clients")
    return _text(value[0], facts), _text(value[1], facts)


def _status(value: object, facts: Facts) -> int | None:
    if value is not None and type(value) is not int:
        raise facts.nonsense("running")
    return value


class Facts:
    """A JSON object from a server. Its methods check the type of each fact."""

    def __init__(self, values: Message, where: str) -> None:
        self.values = values
        self.where = where

    @overload
    def get(self, name: str, kind: type[T]) -> T: ...

    @overload
    def get(self, name: str, kind: type[T], default: None) -> T | None: ...

    def get(self, name: str, kind: type[T], default: object = ...) -> T | None:
        """Return the fact `name`. It may be null or missing only if the default is None."""
        value = self.values.get(name)
        if value is None and default is None:
            return None
        # isinstance(True, int) is true, but `true` is not a number in JSON.
        if not isinstance(value, kind) or (kind is int and type(value) is not int):
            raise self.nonsense(name)
        return value

    def map(self, name: str, kind: type[T]) -> dict[str, T]:
        """Return a JSON object whose values are all of one type."""
        values = self.get(name, dict)
        if not all(isinstance(value, kind) for value in values.values()):
            raise self.nonsense(name)
        return values

    def numbers(self) -> dict[str, int]:
        """Return the object itself, whose values must all be numbers."""
        return {name: self.get(name, int) for name in self.values}

    def nonsense(self, name: str) -> HostError:
        return HostError(
            "observe",
            f"the server sent an invalid response ({self.where}: {name}); it was ignored",
            "check this server by hand: the response did not come from scimconf's agent",
        )

"""Carry out one server's plan: one request to its agent, and what came of it in words.

The transaction itself, with its gate and its way back, belongs to the server
(`scimconf/agent/transaction.py`); from here on it needs nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from scimconf.errors import HostError, Unreachable
from scimconf.foreign import one_line
from scimconf.model import ActionKind, Observed, Outcome, Plan, Realm, Server, Status, Step
from scimconf.observe import Agent, Message, final, host_of, paths
from scimconf.secret import Secret
from scimconf.zulip import block, restart
from scimconf.zulip.bearer import secret_name

OnStep = Callable[[str, bool], None]
"""Told of each step when it begins (True) and when it has ended (False)."""

_MOST_STEPS = 200
"""Steps that a transaction may tell of; ours has some thirty, the way back included."""

_YEAR = 366 * 86400.0
"""Seconds. A step that says that it took longer did not tell the truth."""

_STATUS = {
    "committed": Status.CHANGED,
    "stale": Status.FAILED,
    "busy": Status.FAILED,
    "failed": Status.FAILED,
    "rolled back": Status.ROLLED_BACK,
    "roll-back failed": Status.ROLL_BACK_FAILED,
}


def apply(
    agent: Agent,
    server: Server,
    plan: Plan,
    observed: Observed,
    tokens: Mapping[str, Secret],
    on_step: OnStep = lambda name, doing: None,
) -> Outcome:
    """Do what `plan` says on the server behind `agent`; never raises for what a server can cause.

    `tokens` holds the token of every realm that is to be present.
    """
    steps: list[Step] = []
    begun = time.monotonic()
    try:
        answer = final(
            _watch(agent.ask(request(server, plan, observed, tokens)), steps, on_step), "apply"
        )
    except Unreachable as lost:
        # The request may have arrived: then the server finishes alone, one way or the other.
        message = f"the connection was lost during the change ({lost.message})"
        hint = "the server finishes or goes back by itself; run `scimconf plan` to see which"
        return Outcome(server.name, Status.FAILED, message, hint, plan, tuple(steps))
    except HostError as error:
        message = f"{error.step}: {error.message}"
        return Outcome(server.name, Status.FAILED, message, error.hint, plan, tuple(steps))
    result = str(answer.get("result"))
    return Outcome(
        server.name,
        _STATUS.get(result, Status.FAILED),
        _text(answer, "message"),
        _text(answer, "hint"),
        plan,
        tuple(steps),
        warnings=plan.warnings,
        seconds=time.monotonic() - begun,
    )


def _watch(messages: Iterable[Message], steps: list[Step], on_step: OnStep) -> Iterable[Message]:
    """Pass the messages on, keeping each step that has ended."""
    for message in messages:
        if isinstance(message.get("step"), str) and not message.get("final"):
            name = one_line(str(message["step"]), 40)
            doing = message.get("doing") is True
            if not doing:
                steps.append(_step(name, message))
            if len(steps) > _MOST_STEPS:
                raise HostError(
                    "apply",
                    f"the server tells of more than {_MOST_STEPS} steps",
                    "look at that server by hand",
                )
            on_step(name, doing)
        yield message


def _text(answer: Message, name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _step(name: str, message: Message) -> Step:
    seconds = message.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds < _YEAR:
        seconds = 0.0
    return Step(name, message.get("ok") is True, float(seconds), _text(message, "detail"))


def request(
    server: Server, plan: Plan, observed: Observed, tokens: Mapping[str, Secret]
) -> Message:
    """Give the request that carries out `plan` (docs/agent.md, "apply").

    Every text in it that holds a token is a Secret: it can be shown whole.
    """
    by_kind: dict[ActionKind, list[str]] = {kind: [] for kind in ActionKind}
    for action in plan.actions:
        by_kind[action.kind].append(action.realm or "")
    realms = {realm.string_id: realm for realm in server.realms}
    removed = by_kind[ActionKind.REMOVE_REALM]
    touched = {*by_kind[ActionKind.SET_REALM], *by_kind[ActionKind.SET_SECRET]}
    return {
        "do": "apply",
        "paths": paths(server.paths),
        "probe": server.probe,
        "expect": {
            "settings_sha256": plan.settings_sha256,
            "secrets_sha256": plan.secrets_sha256,
        },
        "entries": {
            **{
                name: _entry(realms[name], server, tokens[name], observed.version)
                for name in by_kind[ActionKind.SET_REALM]
            },
            **dict.fromkeys(removed),
        },
        "wanted": {
            **{
                name: block.wanted(realms[name], tokens[name], observed.version)
                for name in sorted(touched)
            },
            **dict.fromkeys(removed),
        },
        "secrets": {
            "set": {secret_name(name): tokens[name] for name in by_kind[ActionKind.SET_SECRET]},
            "remove": [
                found
                for name in by_kind[ActionKind.REMOVE_SECRET]
                if (found := observed.realms[name].secret_name)
            ],
        },
        "clients": {
            "add": [[name, realms[name].client] for name in by_kind[ActionKind.REGISTER_CLIENT]],
            "remove": [
                [name, _client(name, realms, observed)]
                for name in by_kind[ActionKind.REMOVE_CLIENT]
            ],
        },
        "restart": _restart_command(server, by_kind, observed),
        "restart_timeout": server.restart_timeout,
        "gate_timeout": server.gate_timeout,
        "gate": _gate(server, removed, tokens),
    }


def _entry(realm: Realm, server: Server, token: Secret, version: str) -> Secret:
    if server.token_store == "secrets":  # noqa: S105
        place: Secret | block.SecretName = block.SecretName(secret_name(realm.string_id))
    else:
        place = token
    return Secret(block.entry(realm, place, version)[0])


def _client(name: str, realms: Mapping[str, Realm], observed: Observed) -> str:
    found = observed.realms.get(name)
    client = found.values.get("scim_client_name") if found else None
    return client if isinstance(client, str) else realms[name].client


def _restart_command(
    server: Server, by_kind: Mapping[ActionKind, list[str]], observed: Observed
) -> list[str] | None:
    if not by_kind[ActionKind.RESTART]:
        return None
    command = restart.command(server.restart, observed.version, server.paths.deployment)
    return None if command is None else list(command)


def _gate(
    server: Server, removed: list[str], tokens: Mapping[str, Secret]
) -> dict[str, Message] | None:
    """Give what the agent asks its own web server before it commits; None: it cannot prove it."""
    if not server.verify or server.restart == "none":
        return None
    return {
        realm.string_id: {
            "host": host_of(realm.url),
            "token": tokens[realm.string_id] if realm.present else None,
        }
        for realm in server.realms
        if realm.present or realm.string_id in removed
    }

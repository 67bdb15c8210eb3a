"""Carry out one server's plan: one request to its agent, and what came of it in words.

The transaction itself, with its gate and its way back, belongs to the server
(`scimconf/agent/transaction.py`); from here on it needs nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from scimconf.errors import HostError, Unreachable
from scimconf.model import ActionKind, Observed, Outcome, Plan, Realm, Server, Status, Step
from scimconf.observe import Agent, Message, final, host_of, paths
from scimconf.secret import Secret
from scimconf.zulip import block, restart
from scimconf.zulip.bearer import secret_name

OnStep = Callable[[str, bool], None]
"""Told of each step when it begins (True) and when it has ended (False)."""

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
        str(answer.get("message") or ""),
        str(answer.get("hint") or ""),
        plan,
        tuple(steps),
        warnings=plan.warnings,
        seconds=time.monotonic() - begun,
    )


def _watch(messages: Iterable[Message], steps: list[Step], on_step: OnStep) -> Iterable[Message]:
    """Pass the messages on, keeping each step that has ended."""
    for message in messages:
        name = message.get("step")
        if isinstance(name, str) and not message.get("final"):
            doing = message.get("doing") is True
            if not doing:
                seconds = message.get("seconds")
                steps.append(
                    Step(
                        name,
                        message.get("ok") is True,
                        float(seconds) if isinstance(seconds, int | float) else 0.0,
                        str(message.get("detail") or ""),
                    )
                )
            on_step(name, doing)
        yield message


def request(
    server: Server, plan: Plan, observed: Observed, tokens: Mapping[str, Secret]
) -> Message:
    """Give the request that carries out `plan` (docs/agent.md, "apply")."""
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
            "set": {
                secret_name(name): tokens[name].reveal() for name in by_kind[ActionKind.SET_SECRET]
            },
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


def _entry(realm: Realm, server: Server, token: Secret, version: str) -> str:
    in_secrets = server.token_store == "secrets"  # noqa: S105
    place = block.SecretName(secret_name(realm.string_id)) if in_secrets else token
    text, _ = block.entry(realm, place, version)
    return text


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
            "token": tokens[realm.string_id].reveal() if realm.present else None,
        }
        for realm in server.realms
        if realm.present or realm.string_id in removed
    }

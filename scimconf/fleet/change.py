"""Change one server: ask its agent to carry out the plan, with the tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scimconf.fleet.observe import Agent, Message, host_of, paths
from scimconf.fleet.transact import OnStep, transact
from scimconf.model import ActionKind, Desired, Observed, Outcome, Plan, Realm, Server, Status
from scimconf.secret import Secret
from scimconf.zulip import block, restart
from scimconf.zulip.bearer import secret_name


def change(
    agent: Agent,
    desired: Desired,
    plan: Plan,
    observed: Observed,
    tokens: Mapping[str, Secret],
    on_step: OnStep = lambda name, doing: None,
    lock_timeout: int = 0,
) -> Outcome:
    """Carry out `plan` on the server of `agent`. An error of the server becomes the Outcome.

    `tokens` contains the token of every realm that must be present, `desired` its fingerprint.
    `lock_timeout`: seconds to wait for another run on the server. If the plan changes only the
    token file, no request is sent.
    """
    if not plan.touches_server:
        return Outcome(
            plan.server,
            Status.CHANGED,
            plan=plan,
            warnings=plan.warnings,
            in_force=True,
            unproved=plan.unproved.message if plan.unproved else "",
        )
    wanted = request(desired, plan, observed, tokens)
    outcome = transact(agent, desired.server, wanted, on_step, lock_timeout)
    return replace(outcome, plan=plan, warnings=plan.warnings)


def request(
    desired: Desired, plan: Plan, observed: Observed, tokens: Mapping[str, Secret]
) -> Message:
    """Build the request that carries out `plan` (docs/agent.md, "apply").

    Every text that contains a token is a Secret, so the request can be printed.
    """
    server = desired.server
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
        "keep_empty": block.keeps_empty(observed.version),
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
            "add": _clients(plan, ActionKind.REGISTER_CLIENT),
            "remove": _clients(plan, ActionKind.REMOVE_CLIENT),
        },
        "restart": _restart_command(server, by_kind, observed),
        "restart_timeout": server.restart_timeout,
        "gate_timeout": server.gate_timeout,
        "gate": _gate(server, removed, tokens),
        "fingerprints": {
            name: {"hash": known.hash, "place": known.place, "created": known.created}
            for name in sorted(touched)
            if (known := desired.fingerprints.get(name))
        },
    }


def _entry(realm: Realm, server: Server, token: Secret, version: str) -> Secret:
    if server.token_store == "secrets":  # noqa: S105
        place: Secret | block.SecretName = block.SecretName(secret_name(realm.string_id))
    else:
        place = token
    return Secret(block.entry(realm, place, version)[0])


def _clients(plan: Plan, kind: ActionKind) -> list[list[str]]:
    return [[action.realm or "", action.client] for action in plan.actions if action.kind is kind]


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
    """Return the gate's checks of the local web server; None: there is no gate."""
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

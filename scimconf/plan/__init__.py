"""Compare the wanted state of a server with its present state. Pure: no I/O, no secret.

`apply` carries out this plan and nothing else, so `plan` shows what `apply` does.
Tokens are compared by fingerprint, on the server (docs/agent.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from scimconf.model import Action, ActionKind, Desired, Observed, Plan, shared
from scimconf.plan.delivery import half, undelivered, unfinished
from scimconf.plan.diff import unified
from scimconf.plan.obstacles import would_be_lost, wrong_server
from scimconf.plan.proof import down, no_answer, unproved
from scimconf.plan.realm import Verdict, for_realm, for_unmanaged, remove_client
from scimconf.plan.warnings import (
    for_report,
    of_server,
    stays_empty,
    stays_registered,
    unnamed,
    unused_clients,
)
from scimconf.server_warning import ServerWarning
from scimconf.zulip import block


def plan(desired: Desired, observed: Observed) -> Plan:
    """Plan the actions that turn `observed` into `desired`, in the order of apply.

    While another run is changing the server, nothing is planned, because the facts may change. If a
    run was interrupted, the plan is only to recover: the rest can be planned after that.
    """
    server = desired.server
    if observed.at_work:
        return Plan(server.name, observed.version, busy=observed.at_work)
    if observed.interrupted:
        text = f"roll back an interrupted run ({observed.interrupted}), then plan again"
        recover = Action(ActionKind.RECOVER, None, text)
        return Plan(server.name, observed.version, actions=(recover,))
    result = Plan(
        server.name,
        observed.version,
        warnings=(*of_server(desired, observed), *unfinished(desired, observed)),
        unmanaged=tuple(for_report(desired, observed)),
    )
    if blocked := observed.blocked or wrong_server(desired, observed):
        return replace(result, blocked=blocked)
    verdicts = [*_verdicts(desired, observed)]
    actions, client_warnings = _actions(verdicts, desired, observed)
    warnings = (
        *result.warnings,
        *(warning for verdict in verdicts for warning in verdict.warnings),
    )
    blocked = next((verdict.blocked for verdict in verdicts if verdict.blocked), None)
    if blocked := blocked or would_be_lost(actions, desired, observed):
        return replace(result, warnings=warnings, blocked=blocked)
    warnings += tuple(client_warnings)
    warnings += tuple(undelivered(desired, observed, actions))
    keep_empty = block.keeps_empty(observed.version)
    if keep_empty and _none_is_left(verdicts, observed):
        warnings = (*warnings, stays_empty(observed))
    result = replace(result, actions=tuple(map(shared, actions)))
    if result.touches_server and (silent := no_answer(server, observed) or down(server, observed)):
        # Only a warning: the changes may solve the problem.
        warnings = (*warnings, ServerWarning("no-answer", silent.message))
    return replace(
        result,
        warnings=warnings,
        unproved=None
        if result.touches_server
        else unproved(server, observed) or half(desired, observed),
        diff=unified(
            observed,
            [verdict.change for verdict in verdicts],
            server.paths,
            keep_empty=keep_empty,
        ),
        settings_sha256=observed.settings_sha256,
        secrets_sha256=observed.secrets_sha256,
    )


def _verdicts(desired: Desired, observed: Observed) -> Iterator[Verdict]:
    """Yield the verdict on each realm."""
    server = desired.server
    for realm in server.realms:
        yield for_realm(realm, desired, observed)
    if server.unmanaged == "remove":
        for found in unnamed(desired, observed):
            yield for_unmanaged(found, server.paths.settings)


_ORDER = {kind: number for number, kind in enumerate(ActionKind)}


def _actions(
    verdicts: Sequence[Verdict], desired: Desired, observed: Observed
) -> tuple[list[Action], list[ServerWarning]]:
    """Return all actions in their order, and a warning for each unused client that stays."""
    actions = [action for verdict in verdicts for action in verdict.actions]
    unused = unused_clients(desired, observed, actions)
    ours = [client for client in unused if client in observed.own_clients]
    actions += [remove_client(*client, ", which is unused") for client in ours]
    actions += _restart(desired, verdicts)
    actions.sort(key=lambda action: _ORDER[action.kind])
    return actions, [stays_registered(*client) for client in unused if client not in ours]


def _restart(desired: Desired, verdicts: Sequence[Verdict]) -> Iterator[Action]:
    if desired.server.restart == "none":
        return
    stale = [verdict.stale for verdict in verdicts if verdict.stale]
    if any(verdict.change.touches_files for verdict in verdicts):
        yield Action(ActionKind.RESTART, None, "restart Zulip")
    elif stale:
        yield Action(ActionKind.RESTART, None, f"restart Zulip: {'; '.join(stale)}")


def _none_is_left(verdicts: Sequence[Verdict], observed: Observed) -> bool:
    """Return True if the last realm is removed and none is added."""
    removed = {verdict.change.realm for verdict in verdicts if verdict.change.removed}
    added = any(verdict.change.entry is not None for verdict in verdicts)
    return bool(removed) and not added and removed >= set(observed.realms)

"""The steps of a transaction: what each one does, how it is undone, and when it is needed.

docs/agent.md has their order. The next run also calls `undo`, to roll back a dead run. So `undo`
works if `do` has finished, was interrupted, or has not begun.
"""

from __future__ import annotations

import os
from typing import Callable, Mapping, NamedTuple, Optional, Sequence

from scimconf.agent import (
    applied_tokens,
    candidate,
    child,
    clients,
    durable,
    files,
    gate,
    lock,
    restart_failure,
)
from scimconf.agent.errors import AgentError, redacted
from scimconf.agent.probe import WebServer
from scimconf.agent.undo import FileChange, Undo


@redacted
class Change(NamedTuple):
    """What a transaction will do. It is fixed before the first step."""

    undo: Undo
    wanted: Optional[Mapping[str, Optional[object]]]
    """What Zulip must see afterwards, by realm; None: no entry. If `wanted` itself is None, the
    entries are not compared: an undo restores files that were in force before.
    """
    applied: Mapping[str, applied_tokens.Record] = {}
    """The fingerprint of each token that will come into force, by realm."""


class Step(NamedTuple):
    """One step. `do` returns a detail for the report. `do` and `undo` raise AgentError."""

    name: str
    needed: Callable[[Undo], bool]
    do: Callable[[Change], str]
    undo: Optional[Callable[[Undo], object]] = None
    rollback_step: str = "put back"
    """The name of the step of the rollback that `undo` is a part of."""
    old: Optional[Callable[[Undo], FileChange]] = None
    """For a step that writes a file: the change whose `before` is the old content of the file."""


def _back_up(change: Change) -> str:
    undo = change.undo
    folder = files.backup_folder(undo.deployment)
    if undo.settings.changes:
        durable.back_up(folder, undo.settings.path, undo.settings.before)
    for each in (undo.new_secrets, undo.old_secrets):
        if each.changes:
            durable.back_up(folder, each.path, each.before)
            break
    return folder


def _write(file: Callable[[Undo], FileChange]) -> Callable[[Change], str]:
    def write(change: Change) -> str:
        file(change.undo).write()
        return ""

    return write


def _check_candidate(change: Change) -> str:
    settings = change.undo.settings
    candidate.check(
        change.undo.deployment, settings.path, settings.before, settings.after, change.wanted
    )
    return ""


def _register_clients(change: Change) -> str:
    undo = change.undo
    clients.add(undo.deployment, undo.clients_added)
    return _named(undo.clients_added)


def _unregister_clients(undo: Undo) -> None:
    clients.remove(undo.deployment, undo.clients_added)


def _remove_clients(change: Change) -> str:
    undo = change.undo
    clients.remove(undo.deployment, undo.clients_removed)
    return _named(undo.clients_removed)


def _register_clients_again(undo: Undo) -> None:
    clients.add(undo.deployment, undo.clients_removed)


def _named(registered: Sequence[clients.Client]) -> str:
    return ", ".join(f"{name} for {realm or '(root)'}" for realm, name in registered)


def _restart(undo: Undo) -> str:
    argv = undo.restart or ()
    folder = files.state_folder(undo.deployment)
    with lock.restart_lock(folder, undo.restart_seconds) as holding:
        ended = child.run(argv, undo.deployment, undo.restart_seconds, holding=holding)
    name = os.path.basename(argv[0])
    if ended.code is None:
        raise AgentError(f"{name} did not end within {undo.restart_seconds:g} seconds")
    if ended.code != 0:
        why, hint = restart_failure.explain(ended)
        raise AgentError(f"{name} exited with status {ended.code}: {why}", hint)
    return ""


def _pass_gate(change: Change) -> str:
    undo = change.undo
    try:
        gate.check_new(WebServer(undo.probe), undo.after, undo.before, undo.gate_seconds)
    except AgentError as error:
        if undo.alive:
            raise
        # The site was down before, so nothing shows that this change is the cause: no rollback.
        return f"not verified: {error.message}; the site was already down before this run"
    return ""


def _pass_gate_again(undo: Undo) -> None:
    if undo.host is None:
        return
    server = WebServer(undo.probe)
    if undo.alive:
        gate.check_restored(server, undo.before, undo.after, undo.host, undo.gate_seconds)
    elif problem := gate.down(server, undo.host):
        raise AgentError(f"{problem}; it was already down before this run")


BACK_UP = Step("back up", lambda undo: undo.changes_files, _back_up)
WRITE_SETTINGS = Step(
    "write settings",
    lambda undo: undo.settings.changes,
    _write(lambda undo: undo.settings),
    lambda undo: undo.settings.roll_back(),
    old=lambda undo: undo.settings,
)
RESTART = Step(
    "restart",
    lambda undo: undo.restart is not None,
    lambda change: _restart(change.undo),
    _restart,
    rollback_step="restart",
)
GATE = Step(
    "gate",
    lambda undo: undo.host is not None,
    _pass_gate,
    _pass_gate_again,
    rollback_step="gate",
)

STEPS = (
    BACK_UP,
    Step(
        "write secrets",
        lambda undo: undo.new_secrets.changes,
        _write(lambda undo: undo.new_secrets),
        lambda undo: undo.new_secrets.roll_back(),
        old=lambda undo: undo.new_secrets,
    ),
    Step("check candidate", lambda undo: undo.changes_files, _check_candidate),
    Step(
        "register client",
        lambda undo: bool(undo.clients_added),
        _register_clients,
        _unregister_clients,
    ),
    WRITE_SETTINGS,
    Step(
        "remove secrets",
        lambda undo: undo.old_secrets.changes,
        _write(lambda undo: undo.old_secrets),
        lambda undo: undo.roll_back_old_secrets(),
        old=lambda undo: undo.new_secrets,
    ),
    RESTART,
    GATE,
    Step(
        "remove client",
        lambda undo: bool(undo.clients_removed),
        _remove_clients,
        _register_clients_again,
    ),
)
"""The steps between the journal, which comes first, and the commit, which closes it.

Secrets and clients are added before settings.py needs them, and removed after it no longer does.
A rollback undoes the steps in reverse order, so the same holds for it.
"""

ROLLBACK_STEPS = ("put back", "restart", "gate")
"""The steps of a rollback, in order. Reports and the protocol use these names."""

"""Prepare an undo: a new transaction that restores what the last one replaced."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from scimconf.agent import (
    applied_tokens,
    clients,
    difference,
    files,
    journal,
    prepare,
    secrets_edit,
    secrets_file,
    settings_file,
    zulip,
)
from scimconf.agent.clients import Client
from scimconf.agent.errors import AgentError, Refusal
from scimconf.agent.gate import Before, Question
from scimconf.agent.journal import Journal, Kind
from scimconf.agent.last_run import State
from scimconf.agent.prepare import Stale
from scimconf.agent.probe import WebServer
from scimconf.agent.steps import Change
from scimconf.agent.undo import FileChange, Undo


class NothingToUndo(AgentError):
    """There is nothing to undo. The message says why."""


class ChangedSince(AgentError):
    """Something else has changed the files since the last run. `diff` is masked."""

    def __init__(self, message: str, hint: str, diff: str) -> None:
        super().__init__(message, hint)
        self.diff = diff


def last_undoable(folder: str, run: Optional[str] = None) -> Journal:
    """Return the transaction that can be undone: the last one. If `run` is given, it must match.

    Raises NothingToUndo, Stale if another run came after `run`, and ChangedSince if the files are
    not as the transaction left them.
    """
    found = journal.read(folder)
    if found is None:
        raise NothingToUndo("scimconf has changed nothing on this server yet")
    if run is not None and found.run != run:
        raise Stale(
            f"another run has changed the server since ({found.title})",
            "check what that run changed, then undo this server again",
        )
    if found.kind is Kind.UNDO:
        hint = "to make the change again, run apply for this server"
        raise NothingToUndo(f"the last run ({found.title}) was an undo", hint)
    if found.state is not State.COMMITTED:
        raise NothingToUndo(f"the last run ({found.title}) was {found.state.value}")
    if not (found.undo.changes_files or found.undo.changes_clients):
        raise NothingToUndo(f"the last run ({found.title}) only restarted Zulip")
    _compare(folder, found)
    return found


def masked_diff(folder: str, found: Journal) -> str:
    """Return a masked diff of what the undo would change in the two files."""
    undo, records = found.undo, applied_tokens.read(folder)
    return difference.of_settings(
        undo.settings.path, undo.settings.after, undo.settings.before, records
    ) + difference.of_secrets(
        undo.new_secrets.path, undo.old_secrets.after, undo.new_secrets.before, records
    )


def prepare_undo(folder: str, run: Optional[str], who: str) -> Change:
    """Return what the undo will do. Nothing is changed here.

    Raises the errors of `last_undoable`, and AgentError if it cannot be done.
    """
    undo = last_undoable(folder, run).undo
    settings = FileChange(undo.settings.path, undo.settings.after, undo.settings.before)
    new_secrets, old_secrets = _secrets(undo)
    prepare.prepare_files((settings, new_secrets, old_secrets))
    server = WebServer(undo.probe)
    alive = undo.host is not None and server.alive(undo.host)
    added, removed = _clients(undo)
    reverse = undo._replace(
        began=prepare.now(),
        who=who,
        settings=settings,
        new_secrets=new_secrets,
        old_secrets=old_secrets,
        clients_added=added,
        clients_removed=removed,
        alive=alive,
        before=_before(undo, server) if alive else (),
        after=_questions(undo),
    )
    return Change(undo=reverse, wanted=None)


def _compare(folder: str, found: Journal) -> None:
    """Raise ChangedSince if a file that the transaction wrote has other content now."""
    undo, differences = found.undo, []
    records = applied_tokens.read(folder)
    if undo.settings.changes:
        now = files.read(undo.settings.path)
        differences.append(
            difference.of_settings(undo.settings.path, undo.settings.after, now, records)
        )
    if undo.new_secrets.changes or undo.old_secrets.changes:
        now = files.read(undo.old_secrets.path)
        differences.append(
            difference.of_secrets(undo.old_secrets.path, undo.old_secrets.after, now, records)
        )
    if any(differences):
        raise ChangedSince(
            f"the files were changed since the last run ({found.title})",
            "restore by hand what you need: the old files are in "
            f"{files.backup_folder(undo.deployment)}",
            "".join(differences),
        )


def _secrets(undo: Undo) -> Tuple[FileChange, FileChange]:
    """Return two changes: first add what settings.py will need, later remove what it needed."""
    path, now, old = undo.old_secrets.path, undo.old_secrets.after, undo.new_secrets.before
    if now == old:
        return FileChange(path, now, now), FileChange(path, now, now)
    try:
        had, has = secrets_file.read(old), secrets_file.read(now)
        missing = {name: value for name, value in had.items() if has.get(name) != value}
        between = secrets_edit.edit(now, missing) if missing else now
    except Refusal as refusal:
        raise AgentError(refusal.at(path)) from None
    return FileChange(path, now, between), FileChange(path, between, old)


def _clients(undo: Undo) -> Tuple[Tuple[Client, ...], Tuple[Client, ...]]:
    """Return the clients to register again and the clients to remove again."""
    if not undo.changes_clients or not zulip.has_client_command(undo.deployment):
        return (), ()  # Zulip was upgraded to 6.0, which has no clients
    return clients.outstanding(undo.deployment, undo.clients_removed, undo.clients_added)


def _before(undo: Undo, server: WebServer) -> Tuple[Before, ...]:
    with server.shared():
        return tuple(
            Before(each.realm, each.host, each.token, server.users(each.host, each.token))
            for each in undo.after
            if each.wanted and each.token
        )


def _questions(undo: Undo) -> Tuple[Question, ...]:
    """Return the gate's checks: a token that was new is refused, and an old one is accepted.

    An old token that was refused before the last run is not checked.
    """
    undefined = settings_file.read(undo.settings.before).block is None
    site_only = undefined and not zulip.answers_without_scim_config(undo.deployment)
    tokens: Dict[str, str] = prepare.in_force(undo.settings.before, undo.new_secrets.before)
    worked = {each.realm: each.status == 200 for each in undo.before}
    asked = []
    for each in undo.after:
        old = tokens.get(each.realm)
        if old is None:
            asked.append(Question(each.realm, each.host, each.token, False, site_only))
        elif worked.get(each.realm, not undo.alive):
            asked.append(Question(each.realm, each.host, old, wanted=True))
    return tuple(asked)

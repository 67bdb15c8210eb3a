"""Check under the lock that the server is still as planned, and prepare what will be written."""

from __future__ import annotations

import hashlib
import time
from typing import Dict, Iterable, Optional, Tuple

from scimconf.agent import (
    clients,
    durable,
    files,
    secrets_edit,
    secrets_file,
    settings_edit,
    settings_file,
    zulip,
)
from scimconf.agent.clients import Client
from scimconf.agent.errors import AgentError, Refusal
from scimconf.agent.gate import Before, Question
from scimconf.agent.probe import WebServer, ask_each
from scimconf.agent.request import Request
from scimconf.agent.steps import Change
from scimconf.agent.undo import FileChange, Undo


class Stale(AgentError):
    """The files have changed since the plan."""


def prepare(request: Request, who: str) -> Change:
    """Return what the transaction will do. Nothing is changed here.

    Raises Stale, and AgentError if it cannot be done.
    """
    where = request.paths
    settings = files.read(where.settings)
    secrets = _secrets(request)
    _compare(where.settings, settings, request.settings_sha256)
    _compare(where.secrets, secrets, request.secrets_sha256)
    change = _files(request, settings, secrets)
    prepare_files(change)
    server = WebServer(request.probe)
    tokens = in_force(settings, secrets) if request.gate else {}
    host = next((host for host, _ in (request.gate or {}).values()), None)
    alive = host is not None and server.alive(host)
    added, removed = _clients(request)
    return Change(
        undo=Undo(
            began=now(),
            who=who,
            deployment=where.deployment,
            settings=change[0],
            new_secrets=change[1],
            old_secrets=change[2],
            clients_added=added,
            clients_removed=removed,
            restart=request.restart,
            restart_seconds=request.restart_seconds,
            probe=request.probe,
            host=host,
            alive=alive,
            before=_before(request, tokens) if alive else (),
            after=_questions(request, tokens),
            gate_seconds=request.gate_seconds,
        ),
        wanted=request.wanted,
        applied=request.applied,
    )


def now() -> str:
    """Return the current UTC time as text."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())


def prepare_files(changes: Iterable[FileChange]) -> None:
    """Check that the files can be replaced, and remove what dead runs left beside them.

    Raises AgentError.
    """
    changing = [each.path for each in changes if each.changes]
    for path in changing:
        obstacle = files.obstacle(path)
        if obstacle:
            raise AgentError(obstacle)
    for path in changing:
        durable.sweep(path)


def _secrets(request: Request) -> Optional[bytes]:
    """Return the bytes of zulip-secrets.conf; None if they cannot be read and are not needed."""
    try:
        return files.read(request.paths.secrets)
    except AgentError:
        if request.new_secrets or request.old_secrets:
            raise
        return None


def _compare(path: str, data: Optional[bytes], expected: Optional[str]) -> None:
    found = None if data is None else hashlib.sha256(data).hexdigest()
    if found != expected:
        raise Stale(f"{path} was changed since the plan was made", "run the command again")


def _files(request: Request, settings: bytes, secrets: Optional[bytes]) -> Tuple[FileChange, ...]:
    where = request.paths
    try:
        after = settings_edit.edit(settings, request.entries, keep_empty=request.keep_empty)
    except Refusal as refusal:
        raise AgentError(refusal.at(where.settings)) from None
    changed = FileChange(where.settings, settings, after)
    if secrets is None:
        return changed, FileChange(where.secrets), FileChange(where.secrets)
    try:
        with_new = (
            secrets_edit.edit(secrets, request.new_secrets) if request.new_secrets else secrets
        )
        without_old = with_new
        if request.old_secrets:
            without_old = secrets_edit.edit(with_new, {}, request.old_secrets)
    except Refusal as refusal:
        raise AgentError(refusal.at(where.secrets)) from None
    return (
        changed,
        FileChange(where.secrets, secrets, with_new),
        FileChange(where.secrets, with_new, without_old),
    )


def _clients(request: Request) -> Tuple[Tuple[Client, ...], Tuple[Client, ...]]:
    """Return the clients to register and the clients to remove. Skip what is done already."""
    if not (request.clients_added or request.clients_removed):
        return (), ()
    deployment = request.paths.deployment
    if not zulip.has_client_command(deployment):
        raise AgentError("Zulip 6.0 and later have no SCIM clients to register")
    return clients.outstanding(deployment, request.clients_added, request.clients_removed)


def in_force(settings: bytes, secrets: Optional[bytes]) -> Dict[str, str]:
    """Return the tokens in the two files, by realm. Secrets that cannot be read are left out."""
    try:
        known = secrets_file.read(secrets) if secrets is not None else {}
    except Refusal:
        known = {}
    return settings_file.read(settings).tokens(known)


def _before(request: Request, tokens: Dict[str, str]) -> Tuple[Before, ...]:
    asked = [(realm, host) for realm, (host, _) in (request.gate or {}).items() if realm in tokens]

    def one(server: WebServer, who: Tuple[str, str]) -> Before:
        realm, host = who
        return Before(realm, host, tokens[realm], server.users(host, tokens[realm]))

    return tuple(ask_each(request.probe, one, asked))


def _questions(request: Request, tokens: Dict[str, str]) -> Tuple[Question, ...]:
    return tuple(
        Question(realm, host, token or tokens.get(realm), wanted=token is not None)
        for realm, (host, token) in (request.gate or {}).items()
    )

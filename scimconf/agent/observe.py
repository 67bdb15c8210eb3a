"""The facts of a server, for a plan: nothing is changed, and no token leaves in clear."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from scimconf.agent import (
    applied_tokens,
    candidate,
    clients,
    docker,
    files,
    fingerprint,
    journal,
    lock,
    masking,
    own_clients,
    request,
    secrets_file,
    settings_file,
    zulip,
)
from scimconf.agent.entry import Entry
from scimconf.agent.errors import AgentError, Refusal
from scimconf.agent.journal import Journal, State
from scimconf.agent.request import Paths
from scimconf.agent.settings_file import Settings

_LOOKS = 3
"""A look during which a run ended is made again; after so many, runs are at work here."""

SECRET_PREFIX = "scim_bearer_token"  # noqa: S105
SCIM_ONLY = "scim_"
"""How the names of secrets begin that are followed. A settings.py that an inventory names could
refer to any other secret of Zulip's, and have it sent to a web server, or removed."""

Facts = Dict[str, Any]


def observe(plain: Mapping[str, Any]) -> Facts:
    """Answer a request to observe (docs/agent.md). Raises AgentError only for a wrong request.

    A run that ended while we looked may have changed, or put back, what we read before: then the
    facts belong to no one moment, and we look again.
    """
    where = request.paths(plain)
    for _ in range(_LOOKS):
        before = _runs(where)
        facts = _look(where, plain)
        if _runs(where) == before:
            break
    else:
        before = _Runs(at_work="other runs began or ended during each look")
    _tell_runs(before, where, facts, read_only=bool(plain.get("read_only")))
    return facts


def _look(where: Paths, plain: Mapping[str, Any]) -> Facts:
    realms: Mapping[str, Any] = plain["realms"]
    facts = _nothing()
    secrets = _look_at_secrets(where, facts)
    settings = None
    try:
        settings = _look_at_settings(where, facts)
        if not plain.get("read_only"):
            facts["blocked"] = files.obstacle(where.settings)
    except AgentError as trouble:
        facts["blocked"] = _sentence(trouble)
    facts["blocked"] = _look_at_zulip(where, facts) or facts["blocked"]
    _look_at_container(where, facts)
    if settings:
        records = applied_tokens.read(files.state_folder(where.deployment))
        _look_at_block(settings, secrets, realms, records, facts)
    facts["right_secrets"] = sorted(
        realm for realm, asked in realms.items() if _is_right(secrets, asked)
    )
    if not facts["blocked"]:
        tokens = settings.tokens(secrets) if settings else {}
        if plain["ask"]:
            _ask(plain["probe"], realms, tokens, facts)
        facts["clients"] = _registered(where, realms, settings, facts)
    return facts


def tokens(plain: Mapping[str, Any]) -> Facts:
    """Answer the request of `import`: the tokens in clear, by realm. Raises AgentError.

    `applied` says of realms that scimconf has changed whether the token is one that it put there.
    """
    where = request.paths(plain)
    settings = _look_at_settings(where, {})
    found = settings.tokens(_look_at_secrets(where, {}))
    records = applied_tokens.read(files.state_folder(where.deployment))
    ours = {
        realm: applied_tokens.find(records[realm], token) is not None
        for realm, token in found.items()
        if realm in records
    }
    return {"final": True, "result": "tokens", "tokens": found, "applied": ours}


def _nothing() -> Facts:
    return {
        "final": True,
        "result": "observed",
        "version": "",
        "has_client_command": False,
        "external_host": None,
        "realm_hosts": {},
        "settings_sha256": "",
        "secrets_sha256": None,
        "unknown_secrets": "",
        "block": None,
        "has_get_secret": False,
        "realms": {},
        "secret_names": [],
        "right_secrets": [],
        "clients": None,
        "sites": {},
        "own_clients": [],
        "running": {},
        "blocked": "",
        "interrupted": "",
        "at_work": "",
        "finished_alone": None,
        "lost": "",
        "given_secrets": [],
        "unseen": "",
    }


def _look_at_secrets(where: Paths, facts: Facts) -> Dict[str, str]:
    try:
        data = files.read(where.secrets)
    except files.Missing:
        return {}
    except AgentError as trouble:
        facts["unknown_secrets"] = _sentence(trouble)
        return {}
    facts["secrets_sha256"] = hashlib.sha256(data).hexdigest()
    try:
        found = secrets_file.read(data)
    except Refusal as refusal:
        facts["unknown_secrets"] = refusal.at(where.secrets)
        return {}
    facts["secret_names"] = sorted(name for name in found if name.startswith(SECRET_PREFIX))
    return {name: text for name, text in found.items() if name.startswith(SCIM_ONLY)}


def _look_at_settings(where: Paths, facts: Facts) -> Settings:
    data = files.read(where.settings)
    facts["settings_sha256"] = hashlib.sha256(data).hexdigest()
    try:
        settings = settings_file.read(data)
    except Refusal as refusal:
        raise AgentError(refusal.at(where.settings)) from None
    facts["external_host"] = settings.external_host
    facts["realm_hosts"] = dict(settings.realm_hosts)
    facts["has_get_secret"] = settings.imports_get_secret
    return settings


def _look_at_zulip(where: Paths, facts: Facts) -> str:
    """Fill in what it is; gives why it has to be left alone, "" if not."""
    try:
        facts["version"] = zulip.version(where.deployment)
    except AgentError as trouble:
        return _sentence(trouble)
    facts["has_client_command"] = zulip.has_client_command(where.deployment)
    return zulip.unsupported(facts["version"])


def _look_at_container(where: Paths, facts: Facts) -> None:
    container = docker.Container()
    facts["lost"] = container.lost(where.settings)
    given = container.given_secrets()
    facts["given_secrets"] = [name for name in given if name.startswith(SECRET_PREFIX)]


def _look_at_block(
    settings: Settings,
    secrets: Dict[str, str],
    realms: Mapping[str, Any],
    records: Mapping[str, List[Dict[str, str]]],
    facts: Facts,
) -> None:
    masks = {}
    for realm, entry in settings.entries.items():
        asked = realms.get(realm) or {}
        token = entry.token or secrets.get(entry.secret_name or "")
        known = _token(token, asked, records.get(realm, [])) if token else None
        if known:
            digits = f"fingerprint {known['short']}..." if known["short"] else ""
            masks[realm] = masking.token_mask(realm, known["length"], digits)
        facts["realms"][realm] = _realm(entry, known)
    facts["block"] = masking.block(settings, masks)


def _token(token: str, asked: Mapping[str, Any], records: List[Dict[str, str]]) -> Facts:
    wanted = asked.get("fingerprint")
    matches = None if wanted is None else fingerprint.matches(token, wanted)
    others = asked.get("others", [])
    known = None if matches else applied_tokens.find(records, token)
    return {
        "length": len(token),
        "short": fingerprint.short(wanted) if wanted and matches else "",
        "matches": matches,
        "other": None
        if matches
        else next((n for n, each in enumerate(others) if fingerprint.matches(token, each)), None),
        "created": known["created"] if known else "",
    }


def _is_right(secrets: Mapping[str, str], asked: Mapping[str, Any]) -> bool:
    """Return whether the secret that a realm is to refer to is the wanted token already."""
    token, wanted = secrets.get(asked.get("secret") or ""), asked.get("fingerprint")
    return bool(token and wanted and fingerprint.matches(token, wanted))


def _realm(entry: Entry, token: Optional[Facts]) -> Facts:
    unreadable = entry.unreadable
    if entry.secret_name and not entry.secret_name.startswith(SCIM_ONLY):
        unreadable = f"its token is a secret whose name does not begin with {SCIM_ONLY}"
    return {
        "values": {key: masking.value(key, found) for key, found in entry.values.items()},
        "token": token,
        "secret_name": entry.secret_name,
        "line": entry.line,
        "column": entry.column,
        "unreadable": unreadable,
    }


def _ask(
    probe: Optional[str], realms: Mapping[str, Any], tokens: Mapping[str, str], facts: Facts
) -> None:
    """Ask the web server about each realm: for its login page, and for SCIM where it has a token.

    Without a token an answer of SCIM tells nothing more, and may be a traceback in a mail.
    """
    # Imported only here: a plan that asks no web server is spared the network's modules.
    from scimconf.agent.probe import Answer, WebServer

    server = WebServer(probe)
    silent = Answer(None)
    found = silent
    for number, (realm, asked) in enumerate(realms.items()):
        # Nobody there once is nobody there for all of them: no waiting for each.
        found = server.login(asked["host"]) if not number or found.status else silent
        facts["sites"][realm] = {"status": found.status, "location": found.location}
        if realm in tokens:
            asks = found.status is not None and found.status < 500
            facts["running"][realm] = (
                server.users(asked["host"], tokens[realm]) if asks else found.status
            )


def _registered(
    where: Paths, realms: Mapping[str, Any], settings: Optional[Settings], facts: Facts
) -> Optional[List[List[str]]]:
    """List the registered clients, if this Zulip has any.

    If they cannot be listed, the server is blocked: because of settings.py if that cannot be
    loaded, else unless a 200 proves those that are wanted.
    """

    def proved(realm: str, client: str) -> bool:
        entry = settings.entries.get(realm) if settings else None
        named = entry.values.get("scim_client_name") if entry else None
        return named == client and facts["running"].get(realm) == 200

    if not facts["has_client_command"]:
        return None
    try:
        found = sorted([realm, name] for realm, name in clients.listed(where.deployment))
    except AgentError as trouble:
        try:  # manage.py loads settings.py: with an error in it, no command of manage.py works
            if settings:
                candidate.look(where.deployment, where.settings, settings.source.data)
        except AgentError as cause:
            facts["blocked"] = _sentence(cause)
            return None
        if all(proved(realm, asked["client"]) for realm, asked in realms.items()):
            return None
        facts["blocked"] = f"the registered SCIM clients cannot be listed: {_sentence(trouble)}"
        return None
    ours = own_clients.read(files.state_folder(where.deployment))
    facts["own_clients"] = [client for client in found if tuple(client) in ours]
    return found


class _Runs(NamedTuple):
    """What is known of other runs at one moment; of a journal nothing that may hold a token."""

    at_work: str = ""
    last: Tuple[str, str, str] = ("", "", "")
    """The last run, its state, and the step that it reached: what tells two moments apart."""
    interrupted: str = ""
    ended: str = ""
    """The sentence about the last run, if it came to its end."""
    trouble: str = ""
    """Why the journal cannot be read."""
    unseen: str = ""
    """Why this user cannot look for other runs at all."""


def _runs(where: Paths) -> _Runs:
    folder = files.state_folder(where.deployment)
    try:
        os.listdir(folder)
        at_work = lock.holder(folder)
    except FileNotFoundError:
        return _Runs()
    except OSError as error:
        return _Runs(unseen=f"{folder} cannot be read by {files.user()}: {error.strerror}")
    if at_work:
        return _Runs(at_work=at_work)
    try:
        last = journal.read(folder)
    except AgentError as trouble:
        return _Runs(trouble=_sentence(trouble))
    if last is None:
        return _Runs()
    moment = (last.run, last.state.value, last.reached)
    if last.state is State.OPEN:
        return _Runs(last=moment, interrupted=f"{last.title}, at {last.reached!r}")
    return _Runs(last=moment, ended=_finished_alone(last))


def _tell_runs(runs: _Runs, where: Paths, facts: Facts, *, read_only: bool) -> None:
    """Fill in what is known of other runs, now and before."""
    facts["at_work"], facts["interrupted"] = runs.at_work, runs.interrupted
    if runs.unseen and read_only:
        facts["unseen"] = f"not seen: whether a run was interrupted or is at work ({runs.unseen})"
    else:
        facts["blocked"] = facts["blocked"] or runs.unseen or runs.trouble
    run, folder = runs.last[0], files.state_folder(where.deployment)
    if runs.ended and not journal.is_acknowledged(folder, run):
        facts["finished_alone"] = {"run": run, "text": runs.ended}


def _finished_alone(last: Journal) -> str:
    text = (
        f"the last run ({last.title}) finished by itself after its controller was gone: "
        f"{last.state.value}"
    )
    return f"{text} ({last.message})" if last.message else text


def _sentence(trouble: AgentError) -> str:
    return f"{trouble.message} ({trouble.hint})" if trouble.hint else trouble.message

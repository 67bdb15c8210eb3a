"""Collect the facts of a server for a plan. Nothing is changed, and no token is sent in clear."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

from scimconf.agent import (
    applied_tokens,
    deliveries,
    files,
    fingerprint,
    masking,
    other_runs,
    paths,
    secrets_file,
    settings_file,
    zulip,
)
from scimconf.agent.entry import Entry
from scimconf.agent.errors import AgentError, Refusal
from scimconf.agent.paths import Paths
from scimconf.agent.settings_file import Settings

_ENTRYPOINT = "/sbin/entrypoint.sh"
"""A server without this file is no docker-zulip container (docker.py)."""

_FIELD_MAP_SINCE = 12
"""The first major version of Zulip with custom_profile_field_map."""

_ATTEMPTS = 3
"""How often the facts are collected at most, if other runs begin or end meanwhile."""

SECRET_PREFIX = "scim_bearer_token"  # noqa: S105
SCIM_ONLY = "scim_"
"""The prefix of the secrets that an entry may refer to. The inventory can name any settings.py, and
that file could refer to another secret of Zulip's, to have it sent to a web server or removed."""

Facts = Dict[str, Any]


def observe(plain: Mapping[str, Any]) -> Facts:
    """Answer a request to observe (docs/agent.md). Raises AgentError only for an invalid request.

    A run that ended during the observation may have changed what was read before. Then the facts
    do not belong to one moment, so the observation is repeated.
    """
    where = paths.read(plain)
    read_only = bool(plain.get("read_only"))
    for _ in range(_ATTEMPTS):
        runs = other_runs.look(where.deployment)
        facts = _observe_once(where, plain, read_only)
        if other_runs.look(where.deployment) == runs:
            break
    else:
        runs = other_runs.Runs(at_work="a run began or ended while the server was read")
    return {**facts, **_run_facts(runs, where.deployment, facts["blocked"], read_only)}


def tokens(plain: Mapping[str, Any]) -> Facts:
    """Answer the request of `import`: the tokens in clear, by realm. Raises AgentError.

    `applied` tells, for each realm that scimconf has changed, whether scimconf put the token there.
    """
    where = paths.read(plain)
    settings = _parse_settings(where, files.read(where.settings))
    secrets, _ = _secrets(where)
    found = settings.tokens(secrets)
    records = applied_tokens.read(files.state_folder(where.deployment))
    ours = {
        realm: applied_tokens.find(records[realm], token) is not None
        for realm, token in found.items()
        if realm in records
    }
    return {"final": True, "result": "tokens", "tokens": found, "applied": ours}


def _observe_once(where: Paths, plain: Mapping[str, Any], read_only: bool) -> Facts:
    realms: Mapping[str, Any] = plain["realms"]
    secrets, secret_facts = _secrets(where)
    settings, settings_facts = _settings(where, read_only)
    facts = {**EMPTY, **secret_facts, **settings_facts, **_container(where)}
    zulip_facts = _zulip(where)
    facts.update(zulip_facts, blocked=zulip_facts["blocked"] or facts["blocked"])
    if settings:
        facts.update(_block(where, settings, secrets, realms))
    facts["right_secrets"] = sorted(
        realm for realm, asked in realms.items() if _is_right(secrets, asked)
    )
    if facts["blocked"]:
        return facts
    if plain["ask"]:
        known = settings.tokens(secrets) if settings else {}
        facts.update(_ask(plain["probe"], realms, known))
    if facts["has_client_command"]:
        facts.update(_clients(where, realms, settings, facts["running"]))
    facts.update(_fields(where, realms, facts["version"]))
    return facts


EMPTY: Facts = {
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
    "fields": {},
    "unknown_fields": "",
    "running": {},
    "blocked": "",
    "interrupted": "",
    "at_work": "",
    "finished_alone": None,
    "lost": "",
    "given_secrets": [],
    "unseen": "",
    "deliveries": {},
}
"""The answer about a server of which nothing is known."""


def _secrets(where: Paths) -> Tuple[Dict[str, str], Facts]:
    """Return the secrets that entries may refer to, and the facts about zulip-secrets.conf."""
    try:
        data = files.read(where.secrets)
    except files.Missing:
        return {}, {}
    except AgentError as error:
        return {}, {"unknown_secrets": error.sentence}
    facts: Facts = {"secrets_sha256": hashlib.sha256(data).hexdigest()}
    try:
        found = secrets_file.read(data)
    except Refusal as refusal:
        return {}, {**facts, "unknown_secrets": refusal.at(where.secrets)}
    facts["secret_names"] = sorted(name for name in found if name.startswith(SECRET_PREFIX))
    return {name: text for name, text in found.items() if name.startswith(SCIM_ONLY)}, facts


def _settings(where: Paths, read_only: bool) -> Tuple[Optional[Settings], Facts]:
    """Return settings.py, if it can be read, and the facts about it."""
    facts: Facts = {}
    try:
        data = files.read(where.settings)
        facts["settings_sha256"] = hashlib.sha256(data).hexdigest()
        settings = _parse_settings(where, data)
    except AgentError as error:
        return None, {**facts, "blocked": error.sentence}
    return settings, {
        **facts,
        "external_host": settings.external_host,
        "realm_hosts": dict(settings.realm_hosts),
        "has_get_secret": settings.imports_get_secret,
        "blocked": (None if read_only else files.obstacle(where.settings)) or "",
    }


def _parse_settings(where: Paths, data: bytes) -> Settings:
    try:
        return settings_file.read(data)
    except Refusal as refusal:
        raise AgentError(refusal.at(where.settings)) from None


def _zulip(where: Paths) -> Facts:
    try:
        version = zulip.version(where.deployment)
    except AgentError as error:
        return {"blocked": error.sentence}
    return {
        "version": version,
        "has_client_command": zulip.has_client_command(where.deployment),
        "blocked": zulip.unsupported(version) or "",
    }


def _container(where: Paths) -> Facts:
    if not os.path.exists(_ENTRYPOINT):
        return {}
    from scimconf.agent import docker

    container = docker.Container()
    given = container.given_secrets()
    return {
        "lost": container.loses(where.settings) or "",
        "given_secrets": [name for name in given if name.startswith(SECRET_PREFIX)],
    }


def _block(
    where: Paths, settings: Settings, secrets: Mapping[str, str], realms: Mapping[str, Any]
) -> Facts:
    records = applied_tokens.read(files.state_folder(where.deployment))
    masks, found = {}, {}
    for realm, entry in settings.entries.items():
        asked = realms.get(realm) or {}
        token = entry.token or secrets.get(entry.secret_name or "")
        known = _token(token, asked, records.get(realm, [])) if token else None
        if known:
            digits = f"fingerprint {known['short']}..." if known["short"] else ""
            masks[realm] = masking.token_mask(realm, known["length"], digits)
        found[realm] = _realm(entry, known)
    return {"realms": found, "block": masking.block(settings, masks)}


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
    """Return whether the secret that a realm will refer to already holds the wanted token."""
    token, wanted = secrets.get(asked.get("secret") or ""), asked.get("fingerprint")
    return bool(token and wanted and fingerprint.matches(token, wanted))


def _realm(entry: Entry, token: Optional[Facts]) -> Facts:
    unreadable = entry.unreadable or ""
    if entry.secret_name and not entry.secret_name.startswith(SCIM_ONLY):
        unreadable = f"the name in its get_secret does not begin with {SCIM_ONLY}"
    return {
        "values": {key: masking.value(key, found) for key, found in entry.values.items()},
        "token": token,
        "secret_name": entry.secret_name,
        "line": entry.line,
        "column": entry.column,
        "unreadable": unreadable,
    }


def _ask(probe: Optional[str], realms: Mapping[str, Any], tokens: Mapping[str, str]) -> Facts:
    """Ask the web server for the login page of each realm, and for SCIM if the realm has a token.

    Without a token, SCIM's answer shows nothing more, and may cause a mail with a traceback.
    """
    # Imported here, so that a plan that asks no web server does not load the network modules.
    from scimconf.agent.probe import Answer, WebServer, ask_each

    silent: List[str] = []

    def one(server: WebServer, realm: str) -> Tuple[Answer, Optional[int]]:
        host = realms[realm]["host"]
        # If the web server does not answer once, it is not asked again: each question would wait.
        found = Answer(None) if silent else server.login(host)
        if found.status is None:
            silent.append(realm)
        if realm in tokens and found.status is not None and found.status < 500:
            return found, server.users(host, tokens[realm])
        return found, found.status

    answers = dict(zip(realms, ask_each(probe, one, list(realms))))
    return {
        "sites": {
            realm: {"status": found.status, "location": found.location}
            for realm, (found, _) in answers.items()
        },
        "running": {realm: status for realm, (_, status) in answers.items() if realm in tokens},
    }


def _clients(
    where: Paths,
    realms: Mapping[str, Any],
    settings: Optional[Settings],
    running: Mapping[str, Optional[int]],
) -> Facts:
    """Return the registered clients.

    If they cannot be listed, a status of 200 can still prove each wanted client. Otherwise, and if
    Zulip cannot load settings.py, the server is blocked.
    """

    # Imported here, because only Zulip 5.x has clients.
    from scimconf.agent import candidate, clients, own_clients

    def is_proved(realm: str, client: str) -> bool:
        entry = settings.entries.get(realm) if settings else None
        named = entry.values.get("scim_client_name") if entry else None
        return named == client and running.get(realm) == 200

    try:
        found = sorted([realm, name] for realm, name in clients.listed(where.deployment))
    except AgentError as error:
        try:  # manage.py loads settings.py: with an error in it, no command of manage.py works
            if settings:
                candidate.check_current(where.deployment, where.settings, settings.source.data)
        except AgentError as settings_error:
            return {"blocked": settings_error.sentence}
        if all(is_proved(realm, asked["client"]) for realm, asked in realms.items()):
            return {}
        return {"blocked": f"the registered SCIM clients cannot be listed: {error.sentence}"}
    ours = own_clients.read(files.state_folder(where.deployment))
    return {"clients": found, "own_clients": [each for each in found if tuple(each) in ours]}


def _fields(where: Paths, realms: Mapping[str, Any], version: str) -> Facts:
    """Return the custom profile fields of the realms for which the request needs them."""
    asked = [realm for realm, each in realms.items() if each.get("fields")]
    if not asked or not zulip.is_at_least(version, _FIELD_MAP_SINCE):
        return {}
    from scimconf.agent import profile_fields  # few plans need it

    try:
        return {"fields": profile_fields.listed(where.deployment, asked)}
    except AgentError as error:
        return {"unknown_fields": f"its custom profile fields cannot be listed: {error.sentence}"}


def _run_facts(runs: other_runs.Runs, deployment: str, blocked: str, read_only: bool) -> Facts:
    facts: Facts = {"at_work": runs.at_work or "", "interrupted": runs.interrupted or ""}
    if runs.unseen and read_only:
        facts["unseen"] = f"cannot tell whether a run was interrupted or is at work: {runs.unseen}"
    else:
        facts["blocked"] = blocked or runs.unseen or runs.unreadable or ""
    facts["deliveries"] = deliveries.read(files.state_folder(deployment))
    if runs.ended and not other_runs.is_acknowledged(deployment, runs):
        facts["finished_alone"] = {"run": runs.last[0], "text": runs.ended}
    return facts

"""The facts of a server, for a plan: nothing is changed, and no token leaves in clear."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Mapping, Optional

from scimconf.agent import (
    applied,
    clients,
    docker,
    files,
    fingerprint,
    gate,
    journal,
    lock,
    masking,
    request,
    secrets_file,
    settings_file,
    zulip,
)
from scimconf.agent.entry import Entry
from scimconf.agent.journal import Journal, State
from scimconf.agent.request import Paths
from scimconf.agent.settings_file import Settings
from scimconf.agent.trouble import Refusal, Trouble

SECRET_PREFIX = "scim_bearer_token"  # noqa: S105

Facts = Dict[str, Any]


def observe(plain: Mapping[str, Any]) -> Facts:
    """Answer a request to observe (docs/agent.md). Raises Trouble only for a wrong request."""
    where = request.paths(plain)
    realms: Mapping[str, Any] = plain["realms"]
    facts = _nothing()
    secrets = _look_at_secrets(where, facts)
    settings = None
    try:
        settings = _look_at_settings(where, facts)
        if not plain.get("read_only"):
            facts["blocked"] = files.obstacle(where.settings)
    except Trouble as trouble:
        facts["blocked"] = _sentence(trouble)
    facts["blocked"] = _look_at_zulip(where, facts) or facts["blocked"]
    _look_at_container(where, facts)
    if settings:
        records = applied.read(files.state_folder(where.deployment))
        _look_at_block(settings, secrets, realms, records, facts)
    if not facts["blocked"]:
        tokens = settings.tokens(secrets) if settings else {}
        if plain["ask"]:
            facts["running"] = _running(plain["probe"], realms, tokens)
        facts["clients"] = _registered(where, realms, settings, facts)
    _look_at_runs(where, facts)
    return facts


def tokens(plain: Mapping[str, Any]) -> Facts:
    """Answer the request of `import`: the tokens in clear, by realm. Raises Trouble.

    `applied` says of realms that scimconf has changed whether the token is one that it put there.
    """
    where = request.paths(plain)
    settings = _look_at_settings(where, {})
    found = settings.tokens(_look_at_secrets(where, {}))
    records = applied.read(files.state_folder(where.deployment))
    ours = {
        realm: applied.find(records[realm], token) is not None
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
        "clients": None,
        "running": {},
        "blocked": "",
        "interrupted": "",
        "at_work": "",
        "finished_alone": None,
        "lost": "",
        "given_secrets": [],
    }


def _look_at_secrets(where: Paths, facts: Facts) -> Dict[str, str]:
    try:
        data = files.read(where.secrets)
    except files.Missing:
        return {}
    except Trouble as trouble:
        facts["unknown_secrets"] = _sentence(trouble)
        return {}
    facts["secrets_sha256"] = hashlib.sha256(data).hexdigest()
    try:
        found = secrets_file.read(data)
    except Refusal as refusal:
        facts["unknown_secrets"] = refusal.at(where.secrets)
        return {}
    facts["secret_names"] = sorted(name for name in found if name.startswith(SECRET_PREFIX))
    return found


def _look_at_settings(where: Paths, facts: Facts) -> Settings:
    data = files.read(where.settings)
    facts["settings_sha256"] = hashlib.sha256(data).hexdigest()
    try:
        settings = settings_file.read(data)
    except Refusal as refusal:
        raise Trouble(refusal.at(where.settings)) from None
    facts["external_host"] = settings.external_host
    facts["realm_hosts"] = dict(settings.realm_hosts)
    facts["has_get_secret"] = settings.imports_get_secret
    return settings


def _look_at_zulip(where: Paths, facts: Facts) -> str:
    """Fill in what it is; gives why it has to be left alone, "" if not."""
    try:
        facts["version"] = zulip.version(where.deployment)
    except Trouble as trouble:
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
        known = _token(realm, token, asked, records.get(realm, [])) if token else None
        if known:
            masks[realm] = masking.token_mask(realm, known["length"], known["short"])
        facts["realms"][realm] = _realm(entry, known)
    facts["block"] = masking.block(settings, masks)


def _token(
    realm: str, token: str, asked: Mapping[str, Any], records: List[Dict[str, str]]
) -> Facts:
    wanted = asked.get("fingerprint")
    matches = None if wanted is None else fingerprint.matches(token, wanted)
    others = asked.get("others", [])
    known = None if matches else applied.find(records, token)
    return {
        "length": len(token),
        "short": fingerprint.short(token, wanted, realm),
        "matches": matches,
        "other": None
        if matches
        else next((n for n, each in enumerate(others) if fingerprint.matches(token, each)), None),
        "created": known["created"] if known else "",
    }


def _realm(entry: Entry, token: Optional[Facts]) -> Facts:
    return {
        "values": {key: masking.value(key, found) for key, found in entry.values.items()},
        "token": token,
        "secret_name": entry.secret_name,
        "line": entry.line,
        "column": entry.column,
        "unreadable": entry.unreadable,
    }


def _running(
    probe: Optional[str], realms: Mapping[str, Any], tokens: Mapping[str, str]
) -> Dict[str, Optional[int]]:
    # Imported only here: a plan that asks no web server is spared the network's modules.
    from scimconf.agent.probe import WebServer

    server = WebServer(probe)
    found: Dict[str, Optional[int]] = {}
    for realm, asked in realms.items():
        # Nobody there once is nobody there for all of them: no waiting for each.
        silent = None in found.values()
        token = tokens.get(realm) or gate.wrong_token()
        found[realm] = None if silent else server.users(asked["host"], token)
    return found


def _registered(
    where: Paths, realms: Mapping[str, Any], settings: Optional[Settings], facts: Facts
) -> Optional[List[List[str]]]:
    """List the registered clients, unless there are none to register or a 200 proves them."""

    def proved(realm: str, client: str) -> bool:
        entry = settings.entries.get(realm) if settings else None
        named = entry.values.get("scim_client_name") if entry else None
        return named == client and facts["running"].get(realm) == 200

    if not facts["has_client_command"]:
        return None
    if all(proved(realm, asked["client"]) for realm, asked in realms.items()):
        return None
    try:
        return sorted([realm, name] for realm, name in clients.listed(where.deployment))
    except Trouble as trouble:
        facts["blocked"] = f"the registered SCIM clients cannot be listed: {_sentence(trouble)}"
        return None


def _look_at_runs(where: Paths, facts: Facts) -> None:
    """Fill in what is known of other runs, now and before."""
    folder = files.state_folder(where.deployment)
    facts["at_work"] = lock.holder(folder)
    if facts["at_work"]:
        return
    try:
        last = journal.read(folder)
    except Trouble as trouble:
        facts["blocked"] = facts["blocked"] or _sentence(trouble)
        return
    if last is None:
        return
    if last.state is State.OPEN:
        facts["interrupted"] = f"{last.title}, at {last.reached!r}"
    elif not journal.is_told(folder, last.run):
        facts["finished_alone"] = {"run": last.run, "text": _finished_alone(last)}


def _finished_alone(last: Journal) -> str:
    text = (
        f"the last run ({last.title}) finished by itself after its controller was gone: "
        f"{last.state.value}"
    )
    return f"{text} ({last.message})" if last.message else text


def _sentence(trouble: Trouble) -> str:
    return f"{trouble.message} ({trouble.hint})" if trouble.hint else trouble.message

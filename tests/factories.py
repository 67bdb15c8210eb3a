"""Build values of the model with usual defaults. A test sets only the fields that matter."""

from __future__ import annotations

from typing import Any

from scimconf.model import (
    Connection,
    Desired,
    Fingerprint,
    Observed,
    ObservedRealm,
    ObservedToken,
    Paths,
    Realm,
    Server,
)
from scimconf.zulip.keys import OPTIONAL

FINGERPRINT = (
    "$pbkdf2-sha256$29000$nHOulRICwFgrhVAqBSAkRA$RanPXBfRt9fhqFhXyP15mtJ7xdVuT.MnzCfEQ7iqd4o"
)
"""Its short form is `45a9`."""

CREATED = "2026-06-01T10:00:00Z"


def known(realm: str = "acme", created: str = CREATED) -> Fingerprint:
    """Return FINGERPRINT as the fingerprint of a realm of chat1."""
    return Fingerprint(FINGERPRINT, f'["chat1", "{realm}", "{created}"]', created)


def realm(string_id: str = "acme", **changes: Any) -> Realm:
    """Return a realm of chat.example.com that uses Okta."""
    host = f"{string_id}.chat.example.com" if string_id else "chat.example.com"
    values: dict[str, Any] = {
        "string_id": string_id,
        "present": True,
        "idp": "okta",
        "client": "okta",
        "name_formatted_included": False,
        "options": {},
        "token": None,
        "url": f"https://{host}",
    }
    options = {each.variable: changes.pop(each.variable, None) for each in OPTIONAL}
    values["options"] = {name: value for name, value in options.items() if value is not None}
    return Realm(**values | changes)


def server(*realms: Realm, **changes: Any) -> Server:
    """Return the server chat1 (chat.example.com) with these realms."""
    values: dict[str, Any] = {
        "name": "chat1",
        "connection": connection(),
        "paths": Paths(
            "/etc/zulip/settings.py",
            "/etc/zulip/zulip-secrets.conf",
            "/home/zulip/deployments/current",
            "zulip",
        ),
        "external_host": "chat.example.com",
        "realms": realms,
        "token_store": "settings",
        "unmanaged": "report",
        "deployment": "chat1",
        "restart": "server",
        "restart_timeout": 180,
        "gate_timeout": 60,
        "probe": None,
        "verify": True,
        "ca": None,
    }
    return Server(**values | changes)


def connection(**changes: Any) -> Connection:
    """Return an SSH connection as zulip."""
    values: dict[str, Any] = {
        "kind": "ssh",
        "host": "chat.example.com",
        "port": None,
        "user": "zulip",
        "password": None,
        "private_key": None,
        "become": False,
        "become_method": "sudo",
        "become_user": "zulip",
        "become_password": None,
        "python": None,
        "timeout": 10.0,
    }
    return Connection(**values | changes)


def desired(
    *realms: Realm, fingerprints: dict[str, Fingerprint] | None = None, **changes: Any
) -> Desired:
    """Return a wanted server. Without `fingerprints`, every present realm has a token."""
    if fingerprints is None:
        fingerprints = {each.string_id: known(each.string_id) for each in realms if each.present}
    others: dict[str, tuple[Fingerprint, ...]] = dict.fromkeys(fingerprints, ())
    return Desired(server(*realms, **changes), fingerprints, others=others)


def found(string_id: str = "acme", **changes: Any) -> ObservedRealm:
    """Return an entry that matches `realm()` and has the right token."""
    values: dict[str, Any] = {
        "string_id": string_id,
        "values": {"scim_client_name": "okta", "name_formatted_included": False},
        "token": ObservedToken(43, "45a9", True),
        "secret_name": None,
        "line": 800,
        "column": 5,
        "unreadable": None,
    }
    return ObservedRealm(**values | changes)


def observed(*entries: ObservedRealm, **changes: Any) -> Observed:
    """Return a healthy Zulip 9.0 with these entries; SCIM answers 200 for each."""
    values: dict[str, Any] = {
        "version": "9.0",
        "has_client_command": False,
        "external_host": "chat.example.com",
        "realm_hosts": {},
        "settings_sha256": "5" * 64,
        "secrets_sha256": "6" * 64,
        "unknown_secrets": None,
        "block": block(*entries) if entries else None,
        "has_get_secret": True,
        "realms": {entry.string_id: entry for entry in entries},
        "secret_names": frozenset(e.secret_name for e in entries if e.secret_name),
        "clients": None,
        "running": {entry.string_id: 200 for entry in entries},
        "blocked": None,
        "interrupted": None,
        "at_work": None,
        "finished_alone": None,
        "lost": None,
        "given_secrets": frozenset(),
    }
    return Observed(**values | changes)


def block(*entries: ObservedRealm) -> str:
    """Return the masked block that an agent would send with these entries."""
    lines = ["SCIM_CONFIG = {\n"]
    for entry in entries:
        lines.append(f'    "{entry.string_id}": {{\n')
        if entry.secret_name:
            lines.append(f'        "bearer_token": get_secret("{entry.secret_name}"),\n')
        elif entry.token:
            digits = f", fingerprint {entry.token.short}..." if entry.token.short else ""
            facts = f"{entry.token.length} characters{digits}"
            lines.append(f'        "bearer_token": "<token {entry.string_id}, {facts}>",\n')
        lines += [f'        "{key}": {value!r},\n' for key, value in entry.values.items()]
        lines.append("    },\n")
    return "".join([*lines, "}\n"])

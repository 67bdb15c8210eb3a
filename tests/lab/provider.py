"""Requests in the form that identity providers send. They do not use scimconf's code."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from tests.lab import Server

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Check = Callable[[bool, str], None]
"""A check: it returns if the condition holds."""


def scim(
    server: Server, realm: str, token: str, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    """Send one SCIM request over HTTPS. Return the status and the JSON of the answer."""
    sent = None if body is None else json.dumps(body)
    headers = {"Content-Type": "application/scim+json"}
    status, _, answer = server.request(method, path, realm, token, headers, sent)
    return status, json.loads(answer) if answer else None


def okta(check: Check, server: Server, realm: str, token: str) -> None:
    """Create, change and deactivate a user as Okta does: PUT for changes, given and family name."""
    email = f"okta-{uuid.uuid4().hex[:8]}@example.com"
    user = {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"primary": True, "value": email, "type": "work"}],
        "displayName": "Ada Lovelace",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    status, made = scim(server, realm, token, "POST", "/scim/v2/Users", user)
    where = f"{server.name} {realm or '(root)'}: Okta"
    check(status == 201, f"{where} creates a user")
    path = f"/scim/v2/Users/{made['id']}"
    changed = {**user, "id": made["id"], "name": {"givenName": "Ada", "familyName": "Byron"}}
    status, after = scim(server, realm, token, "PUT", path, changed)
    name = after["name"]["familyName"] if status == 200 else None
    check((status, name) == (200, "Byron"), f"{where} renames the user")
    off = {
        "schemas": [PATCH],
        "Operations": [{"op": "replace", "value": {"active": False}}],
    }
    status, _ = scim(server, realm, token, "PATCH", path, off)
    _, after = scim(server, realm, token, "GET", path)
    check(status in (200, 204) and after["active"] is False, f"{where} deactivates the user")


def entra(check: Check, server: Server, realm: str, token: str) -> None:
    """Create, change and deactivate a user as Entra ID does: a filter, then PATCH with paths."""
    email = f"entra-{uuid.uuid4().hex[:8]}@example.com"
    query = f"/scim/v2/Users?filter=userName+eq+%22{email}%22"
    status, found = scim(server, realm, token, "GET", query)
    where = f"{server.name} {realm or '(root)'}: Entra ID"
    check((status, found["totalResults"]) == (200, 0), f"{where} finds no such user yet")
    user = {
        "schemas": [USER],
        "userName": email,
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": email}],
        "name": {"formatted": "Grace Hopper"},
    }
    status, made = scim(server, realm, token, "POST", "/scim/v2/Users", user)
    check(status == 201, f"{where} creates a user")
    path = f"/scim/v2/Users/{made['id']}"
    rename = {"op": "Replace", "path": "name.formatted", "value": "Grace B. Hopper"}
    off = {"op": "Replace", "path": "active", "value": False}
    for operation, what in ((rename, "renames"), (off, "deactivates")):
        patch = {"schemas": [PATCH], "Operations": [operation]}
        status, _ = scim(server, realm, token, "PATCH", path, patch)
        check(status in (200, 204), f"{where} {what} the user")
    _, after = scim(server, realm, token, "GET", path)
    check(after["active"] is False, f"{where} sees the user deactivated")

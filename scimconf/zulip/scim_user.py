"""The requests of identity providers about one user: create, change, deactivate (RFC 7644). Pure.

Each provider has its own form. Okta sends name.givenName and name.familyName, and changes a user
with PUT and all attributes. Microsoft Entra ID sends name.formatted, and PATCH with a path for each
attribute. The presets describe the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from scimconf.model import Realm
from scimconf.zulip.presets import PRESETS, USERS, Names

_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a realm's SCIM API."""

    method: str
    path: str
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user as Zulip describes it."""

    id: str
    email: str
    name: str
    active: bool
    values: Body
    """All attributes."""


def find(email: str) -> Request:
    """Return the request that looks for a user by the email address."""
    wanted = f'userName eq "{email}"'
    return Request("GET", f"{USERS}?filter={quote(wanted)}")


def show(user_id: str) -> Request:
    """Return the request for one user."""
    return Request("GET", _path(user_id))


def create(realm: Realm, email: str, name: str) -> Request:
    """Return the request that creates a user."""
    return Request("POST", USERS, _whole(realm, email, name, active=True))


def rename(realm: Realm, user: User, name: str, *, active: bool = True) -> Request:
    """Return the request that changes the name of a user, and activates it."""
    if PRESETS[realm.idp].changes_by_patch:
        return _patch(user.id, ("name.formatted", name))
    return Request("PUT", _path(user.id), _whole(realm, user.email, name, active=active))


def activate(realm: Realm, user: User) -> Request:
    """Return the request that activates a deactivated user again."""
    if PRESETS[realm.idp].changes_by_patch:
        return _patch(user.id, ("active", True))
    return Request("PUT", _path(user.id), _whole(realm, user.email, user.name, active=True))


def deactivate(realm: Realm, user: User) -> Request:
    """Return the request that deactivates a user."""
    preset = PRESETS[realm.idp]
    if preset.changes_by_patch:
        return _patch(user.id, ("active", False))
    if preset.deactivates_by_patch:
        operations = [{"op": "replace", "value": {"active": False}}]
        return Request("PATCH", _path(user.id), {"schemas": [_PATCH], "Operations": operations})
    return Request("PUT", _path(user.id), _whole(realm, user.email, user.name, active=False))


def set_attribute(realm: Realm, user: User, attribute: str, value: str) -> Request:
    """Return the request that first writes a mapped attribute."""
    if PRESETS[realm.idp].changes_by_patch:
        operation = {"op": "Add", "path": attribute, "value": value}
        return Request("PATCH", _path(user.id), {"schemas": [_PATCH], "Operations": [operation]})
    whole = _whole(realm, user.email, user.name, active=True)
    return Request("PUT", _path(user.id), {**whole, attribute: value})


def parse(body: bytes) -> User | None:
    """Return the user of an answer; None for anything else."""
    try:
        return _user(json.loads(body))
    except (ValueError, RecursionError):
        return None


def parse_list(body: bytes) -> list[User] | None:
    """Return the users of a ListResponse; None for anything else."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = answer.get("Resources") if isinstance(answer, dict) else None
    users = [_user(each) for each in found] if isinstance(found, list) else [None]
    return None if None in users else [each for each in users if each]


def detail(body: bytes) -> str:
    """Return the text of a SCIM error; "" if there is none. It is data of the server."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = answer.get("detail") if isinstance(answer, dict) else None
    return found if isinstance(found, str) else ""


def _user(plain: object) -> User | None:
    if not isinstance(plain, dict):
        return None
    user_id, email, active = plain.get("id"), plain.get("userName"), plain.get("active")
    if isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    if not isinstance(user_id, str) or not isinstance(email, str) or not isinstance(active, bool):
        return None
    if not user_id.isdecimal() or not user_id.isascii() or len(user_id) > 20:
        return None  # it becomes a part of a URL
    return User(user_id, email, _name(plain), active, plain)


def _name(plain: Mapping[str, object]) -> str:
    shown, name = plain.get("displayName"), plain.get("name")
    if isinstance(shown, str) and shown:
        return shown
    parts = name if isinstance(name, dict) else {}
    if isinstance(parts.get("formatted"), str):
        return str(parts["formatted"])
    return f"{parts.get('givenName', '')} {parts.get('familyName', '')}".strip()


def _path(user_id: str) -> str:
    return f"{USERS}/{user_id}"


def _whole(realm: Realm, email: str, name: str, *, active: bool) -> dict[str, object]:
    """Return all attributes of a user, with the name in the form of the identity provider."""
    given, _, family = name.partition(" ")
    parts = {"givenName": given, "familyName": family}
    form = PRESETS[realm.idp].names
    if form is Names.AS_CONFIGURED:
        form = Names.FORMATTED if realm.name_formatted_included else Names.PARTS
    names = {
        Names.FORMATTED: {"formatted": name},
        Names.PARTS: parts,
        Names.BOTH: {"formatted": name, **parts},
    }
    return {
        "schemas": [_USER],
        "userName": email,
        "name": names[form],
        "emails": [{"value": email, "type": "work", "primary": True}],
        "displayName": name,
        "active": active,
    }


def _patch(user_id: str, change: tuple[str, object]) -> Request:
    operation = {"op": "Replace", "path": change[0], "value": change[1]}
    return Request("PATCH", _path(user_id), {"schemas": [_PATCH], "Operations": [operation]})

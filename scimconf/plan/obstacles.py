"""Find reasons why a realm, or the whole server, cannot be changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from scimconf.model import Action, ActionKind, Desired, Observed, ObservedRealm, Realm, Server
from scimconf.plan.delivery import foreign
from scimconf.zulip.bearer import secret_name
from scimconf.zulip.hosts import refusal
from scimconf.zulip.keys import FIELD_MAP
from scimconf.zulip.login_page import moved_to, same_host, url_of
from scimconf.zulip.versions import Feature, available

_MOST_FIELDS = 20
"""The most custom profile fields that a message names."""


def obstacle(
    realm: Realm, found: ObservedRealm | None, desired: Desired, observed: Observed
) -> str | None:
    """Return why this realm cannot be changed; None if it can."""
    server = desired.server
    if found and found.unreadable:
        remedy = "write the entry as plain values, or remove the realm from the inventory"
        return computed(found, server.paths.settings, remedy)
    if not (realm.present or found):
        return None
    if other := _other_host(realm, observed):
        return (
            f"realm {realm.label}: Zulip redirects {realm.url} to {other}, and no identity "
            f"provider follows a redirect; set url: {other} for this realm in scim_realms"
        )
    if not realm.present:
        return None
    return (
        _unknown(realm, observed)
        or foreign(realm, observed)
        or _secrets_unknown(server, observed)
        or _missing_fields(realm, observed)
    )


def _unknown(realm: Realm, observed: Observed) -> str | None:
    """Return a message if the running Zulip does not have the realm; None if it has."""
    site = observed.sites.get(realm.string_id)
    status = observed.running.get(realm.string_id) or (site.status if site else None)
    if status not in (400, 404):
        return None
    named = any(
        same_host(urlsplit(realm.url).netloc, each) for each in observed.realm_hosts.values()
    )
    if named or (status == 400 and not refusal(realm.url, observed.external_host or "", {})):
        return (
            f"realm {realm.label}: settings.py names the host of {realm.url}, but the running "
            f"Zulip does not know it ({status}); if settings.py was changed, restart Zulip"
        )
    if status == 404:
        return (
            f"realm {realm.label}: this Zulip has no organisation at {realm.url}; create it "
            "first, or correct the realm's name in the inventory"
        )
    return (
        f"realm {realm.label}: Zulip does not accept the host name of {realm.url}; it must be "
        "EXTERNAL_HOST or below it, or in REALM_HOSTS or ALLOWED_HOSTS of settings.py"
    )


def _other_host(realm: Realm, observed: Observed) -> str | None:
    """Return the URL that Zulip redirects the realm's URL to; None if it does not.

    The login page of the running Zulip shows it. REALM_HOSTS in settings.py shows what Zulip will
    do after its next restart.
    """
    site = observed.sites.get(realm.string_id)
    if site and (moved := moved_to(site.status, site.location, realm.url)):
        return moved
    own = observed.realm_hosts.get(realm.string_id)
    if own is None or observed.blocked or same_host(own, urlsplit(realm.url).netloc):
        return None
    return url_of(own) if available(Feature.REALM_HOST_REDIRECT, observed.version) else None


def _secrets_unknown(server: Server, observed: Observed) -> str | None:
    return observed.unknown_secrets if server.token_store == "secrets" else None  # noqa: S105


def _missing_fields(realm: Realm, observed: Observed) -> str | None:
    """Return a message if the realm lacks a field of custom_profile_field_map; None if it has all.

    Zulip would refuse to create and update users (400).
    """
    wanted = FIELD_MAP.value(realm)
    if not isinstance(wanted, Mapping) or not FIELD_MAP.known_to(observed.version):
        return None
    if observed.unknown_fields:
        return f"realm {realm.label}: {observed.unknown_fields}"
    known = observed.fields.get(realm.string_id, {})
    missing = sorted({str(each) for each in wanted.values()} - {*known})
    if not missing:
        return None
    names = ", ".join(missing[:_MOST_FIELDS])
    others = sorted(known)
    has = f"it has: {', '.join(others[:_MOST_FIELDS])}" if others else "it has none"
    return (
        f"realm {realm.label}: custom_profile_field_map needs custom profile fields that the realm "
        f"does not have: {names} ({has}); Zulip would refuse every new user (400): create them in "
        "Zulip, or correct the names in scim_realms"
    )


def computed(found: ObservedRealm, settings: str, remedy: str) -> str:
    """Return the message for an entry that is not plain data: its place, and what to do."""
    place = f"{settings}:{found.line}:{found.column}"
    return f"{place}: realm {found.label}: {found.unreadable}; {remedy}"


# --- the server as a whole ------------------------------------------------------------------------


def wrong_server(desired: Desired, observed: Observed) -> str | None:
    """Return a message if this may be the wrong server: it has another EXTERNAL_HOST."""
    wanted, found = desired.server.external_host, observed.external_host
    if found is None or found.lower() == wanted.lower():
        return None
    return (
        f"settings.py has EXTERNAL_HOST = {found!r}, but the inventory expects {wanted!r}; if this "
        "is the right server, set zulip_external_host"
    )


_OF_SETTINGS = (ActionKind.SET_REALM, ActionKind.REMOVE_REALM)
_OF_SECRETS = (ActionKind.SET_SECRET, ActionKind.REMOVE_SECRET)


def would_be_lost(actions: Iterable[Action], desired: Desired, observed: Observed) -> str | None:
    """Return why docker-zulip would undo an action at its next start; None if it keeps all."""
    for action in actions:
        if observed.lost and action.kind in _OF_SETTINGS:
            return (
                f"{observed.lost}; in the container's environment, set the variables that "
                f"`scimconf render {desired.server.name} --for docker-env` prints (scimconf help "
                "docker)"
            )
        if action.kind in _OF_SECRETS and _secret(action, observed) in observed.given_secrets:
            return (
                f"docker-zulip writes {_secret(action, observed)} into zulip-secrets.conf at every "
                "start: change it in the container's environment (scimconf help docker)"
            )
    return None


def _secret(action: Action, observed: Observed) -> str | None:
    """Return the name in zulip-secrets.conf that an action changes."""
    realm = action.realm or ""
    if action.kind is ActionKind.SET_SECRET:
        return secret_name(realm)
    return observed.realms[realm].secret_name

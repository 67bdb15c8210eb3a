"""Collect the warnings and the unmanaged realms that a plan reports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scimconf.model import (
    Action,
    ActionKind,
    Desired,
    Observed,
    ObservedRealm,
    Position,
    Unmanaged,
)
from scimconf.plan.realm import client_of
from scimconf.server_warning import ServerWarning
from scimconf.zulip.keys import FIELD_MAP
from scimconf.zulip.login_page import deactivated
from scimconf.zulip.presets import PRESETS
from scimconf.zulip.versions import advice

_MOST_REALMS = 8
"""The most realms that a warning names."""


def of_server(desired: Desired, observed: Observed) -> Iterator[ServerWarning]:
    """Yield the warnings about the server as a whole."""
    server = desired.server
    if observed.finished_alone:
        yield ServerWarning("earlier-run", observed.finished_alone.text)
    if observed.unseen:
        yield ServerWarning("read-only", observed.unseen)
    if observed.blocked:
        return
    yield from advice(observed.version)
    yield from _deactivated(desired, observed)
    yield from _of_providers(desired, observed)
    if observed.unknown_secrets:
        yield ServerWarning("secrets-unreadable", observed.unknown_secrets)
    if observed.has_client_command and observed.clients is None:
        text = "the registered SCIM clients could not be listed, so unused ones are not found"
        yield ServerWarning("unknown-clients", text)
    if observed.external_host is None:
        text = (
            "EXTERNAL_HOST in settings.py is not a plain value, so it was not compared with the "
            "inventory"
        )
        yield ServerWarning("computed-external-host", text)
    if server.unmanaged == "keep" and not server.is_partial:
        for found in unnamed(desired, observed):
            place = f"{server.paths.settings}:{found.line}:{found.column}"
            text = f"realm {found.label} at {place}: unmanaged, left unchanged"
            yield ServerWarning("unmanaged-realm", text)
    if server.restart == "none":
        text = "scim_restart is none: restart Zulip by hand after a change"
        yield ServerWarning("no-restart", text)


def _deactivated(desired: Desired, observed: Observed) -> Iterator[ServerWarning]:
    for realm in desired.server.realms:
        site = observed.sites.get(realm.string_id)
        if realm.present and site and deactivated(site.status, site.location):
            text = (
                f"realm {realm.label} is deactivated: nobody can log in there, though SCIM still "
                "answers; reactivate it in Zulip, or set state: absent for it in scim_realms"
            )
            yield ServerWarning("deactivated-realm", text)


def _of_providers(desired: Desired, observed: Observed) -> Iterator[ServerWarning]:
    """Yield what does not work between Zulip and the identity providers, once for all realms."""
    realms: dict[ServerWarning, list[str]] = {}
    for realm in desired.server.realms:
        if realm.present:
            preset = PRESETS[realm.idp]
            known = preset.warnings
            if FIELD_MAP.value(realm) and FIELD_MAP.known_to(observed.version):
                known += preset.field_map_warnings
            for each in known:
                realms.setdefault(each, []).append(realm.label)
    for each, names in realms.items():
        shown = ", ".join(names[:_MOST_REALMS])
        more = f" and {len(names) - _MOST_REALMS} more" if len(names) > _MOST_REALMS else ""
        yield ServerWarning(each.id, f"realm {shown}{more}: {each.text}")


def unnamed(desired: Desired, observed: Observed) -> Iterator[ObservedRealm]:
    """Return the unmanaged realms of the server."""
    server = desired.server
    named = server.left_alone | {realm.string_id for realm in server.realms}
    return (found for name, found in observed.realms.items() if name not in named)


def for_report(desired: Desired, observed: Observed) -> Iterator[Unmanaged]:
    """Yield the unmanaged realms to report (`scim_unmanaged: report`)."""
    server = desired.server
    if server.unmanaged == "report":
        for found in unnamed(desired, observed):
            place = Position(server.paths.settings, found.line, found.column)
            yield Unmanaged(found.string_id, place)


def unused_clients(
    desired: Desired, observed: Observed, actions: Iterable[Action]
) -> list[tuple[str, str]]:
    """Return the registered clients that no realm will use and no action removes.

    Without an entry in SCIM_CONFIG, a client gives no access. Realms whose entry is not plain data,
    and realms that this run must not change, are left out.
    """
    server = desired.server
    selected = {realm.string_id for realm in server.realms}
    removed = {each.realm for each in actions if each.kind is ActionKind.REMOVE_REALM}
    in_actions = {(each.realm, each.client) for each in actions if each.client}
    unknown = server.left_alone | {r for r, found in observed.realms.items() if found.unreadable}
    used = {
        name: client_of(found) for name, found in observed.realms.items() if name not in removed
    }
    used |= {realm.string_id: realm.client for realm in server.realms if realm.present}
    return [
        (realm, client)
        for realm, client in sorted(observed.clients or ())
        if used.get(realm) != client
        and (realm, client) not in in_actions
        and realm not in unknown
        and (realm in selected or not server.is_partial)
    ]


def stays_registered(realm: str, client: str) -> ServerWarning:
    """Return the warning about an unused client that scimconf did not register."""
    text = (
        f"SCIM client {client} of realm {realm or '(root)'} is unused, but stays registered: "
        "it was not registered by scimconf"
    )
    return ServerWarning("unused-client", text)


def stays_empty(observed: Observed) -> ServerWarning:
    """Return the warning about the empty SCIM_CONFIG that remains (docs/zulip.md)."""
    text = (
        "the last realm is removed: SCIM_CONFIG = {} stays in settings.py, so that Zulip "
        f"{observed.version} answers an identity provider with 401. Without it, each request would "
        "cause a 500 and a mail to the administrators"
    )
    return ServerWarning("empty-scim-config", text)

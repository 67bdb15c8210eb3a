"""Judge deliveries to identity providers: not begun, not ended, or to other servers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from scimconf.model import Action, ActionKind, Desired, Observed, Realm, Unproved
from scimconf.plan.commands import for_realm
from scimconf.server_warning import ServerWarning
from scimconf.zulip.hosts import refusal


def foreign(realm: Realm, observed: Observed) -> str | None:
    """Return why the realm's URL must not be delivered; None if it belongs to this server.

    The identity provider would send the token to that URL, whoever answers there.
    """
    if realm.deliver is None:
        return None
    reason = f"{realm.url} may belong to another server: EXTERNAL_HOST is not a plain value"
    if observed.external_host is not None:
        found = refusal(realm.url, observed.external_host, observed.realm_hosts)
        if found is None:
            return None
        reason = found
    return (
        f"realm {realm.label}: its URL and token are not delivered, because the identity provider "
        f"would send the token to another server: {reason}; correct url in scim_realms, or "
        "EXTERNAL_HOST on the server"
    )


def unfinished(desired: Desired, observed: Observed) -> Iterator[ServerWarning]:
    """Yield a warning for each delivery that no run has ended."""
    for realm, since in _begun(desired, observed).items():
        message, hint = _half(desired, realm, since)
        yield ServerWarning("unfinished-delivery", f"{message}; {hint}")


def half(desired: Desired, observed: Observed) -> Unproved | None:
    """Return why it is not proved that the identity providers have the right tokens; else None."""
    for realm, since in _begun(desired, observed).items():
        return Unproved(*_half(desired, realm, since))
    return None


def undelivered(
    desired: Desired, observed: Observed, actions: Iterable[Action]
) -> Iterator[ServerWarning]:
    """Yield a warning for each token in force that `deliver` names and no run has delivered."""
    if desired.turned:
        return
    planned = {each.realm for each in actions if each.kind is ActionKind.DELIVER}
    others = {*planned, *_begun(desired, observed)}
    for name in sorted(desired.undelivered - others):
        found = observed.realms.get(name)
        if found and found.token and found.token.matches:
            yield ServerWarning(
                "not-delivered",
                f"realm {name or '(root)'}: no run has delivered the token in force to the "
                f"identity provider; to deliver it: {for_realm('deliver', desired.server, name)}",
            )


def _begun(desired: Desired, observed: Observed) -> Mapping[str, str]:
    """Return the notes of the token file and of the server. A rotation finishes the delivery."""
    if desired.turned:
        return {}
    named = {each.string_id for each in desired.server.realms if each.present}
    on_server = {realm: note for realm, note in observed.deliveries.items() if realm in named}
    return {**on_server, **desired.delivering}


def _half(desired: Desired, realm: str, since: str) -> tuple[str, str]:
    message = (
        f"realm {realm or '(root)'}: the delivery that began at {since.partition(' ')[0]} has not "
        "ended: its identity provider may be paused, or have another token"
    )
    again = for_realm("deliver", desired.server, realm)
    if not any(each.deliver for each in desired.server.realms if each.string_id == realm):
        return message, (
            "deliver is no longer in the inventory: to finish it, put deliver back and run: "
            f"{again}; or, once the identity provider works again, remove the note: the line "
            "delivering: of this realm in the token file, and deliveries.json in Zulip's folder "
            ".scimconf on the server"
        )
    if realm not in desired.staged:
        return message, f"to finish it: {again}"
    forward = for_realm("rotate --activate", desired.server, realm)
    return message, f"to finish it: {forward}; or to go back to the token in force: {again}"

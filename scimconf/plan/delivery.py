"""Report deliveries to identity providers that a run has begun and not ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scimconf.model import Desired, Observed, Unproved
from scimconf.plan.commands import for_realm
from scimconf.server_warning import ServerWarning


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

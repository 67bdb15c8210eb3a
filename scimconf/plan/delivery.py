"""Report deliveries to identity providers that a run has begun and not ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from scimconf.model import Desired, Unproved
from scimconf.plan.commands import for_realm
from scimconf.server_warning import ServerWarning


def unfinished(desired: Desired) -> Iterator[ServerWarning]:
    """Yield a warning for each delivery that no run has ended."""
    for realm, since in desired.delivering.items():
        message, hint = _half(desired, realm, since)
        yield ServerWarning("unfinished-delivery", f"{message}; {hint}")


def half(desired: Desired) -> Unproved | None:
    """Return why it is not proved that the identity providers have the right tokens; else None."""
    for realm, since in desired.delivering.items():
        return Unproved(*_half(desired, realm, since))
    return None


def _half(desired: Desired, realm: str, since: str) -> tuple[str, str]:
    message = (
        f"realm {realm or '(root)'}: the delivery that began at {since.partition(' ')[0]} has not "
        "ended: its identity provider may be paused, or have another token"
    )
    again = for_realm("deliver", desired.server, realm)
    if not any(each.deliver for each in desired.server.realms if each.string_id == realm):
        return message, (
            "deliver is no longer in the inventory: to finish it, put deliver back and run: "
            f"{again}; or, once the identity provider works again, remove the line delivering: of "
            "this realm from the token file"
        )
    if realm not in desired.staged:
        return message, f"to finish it: {again}"
    forward = for_realm("rotate --activate", desired.server, realm)
    return message, f"to finish it: {forward}; or to go back to the token in force: {again}"

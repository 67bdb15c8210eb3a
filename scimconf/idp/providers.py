"""Return the identity provider that the inventory's `deliver` names."""

from __future__ import annotations

from scimconf.idp import credentials
from scimconf.idp.authentik import Authentik
from scimconf.idp.base import Idp, Target
from scimconf.idp.command import Command
from scimconf.idp.entra import Entra
from scimconf.idp.okta import Okta
from scimconf.model import Deliver


def provider(deliver: Deliver, target: Target) -> Idp:
    """Return the provider. Nothing is read or sent yet."""
    if deliver.kind == "command":
        return Command(deliver, target)
    kinds: dict[str, type[Entra | Authentik | Okta]] = {
        "entra": Entra,
        "authentik": Authentik,
        "okta": Okta,
    }
    return kinds[deliver.kind](deliver, target, credentials.read)

"""What is known of each identity provider: names, the connection test, the token field.

Okta and Microsoft Entra ID are what Zulip's help centre describes. The others are not in Zulip's
documentation: `assumption` says what was taken for granted and must be checked by whoever knows
the provider. The rule behind `name_formatted_included` is Zulip's own (SCIM page of its
production manual): true if the provider sends `name.formatted`, else false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

USERS = "/scim/v2/Users"


@dataclass(frozen=True, slots=True)
class Preset:
    """One identity provider as scimconf knows it."""

    name: str
    """What the inventory calls it: `idp: okta`."""
    title: str
    """Its maker's name for it."""
    client: str
    """The usual `scim_client_name`."""
    name_formatted_included: bool
    bearer_prefix: bool
    """Whether its token field holds `Bearer <token>`, the word included, not the bare token."""
    tests_by_filter: bool
    """Whether its connection test looks for a user that nobody is (Entra), not for a page."""
    base_url_suffix: str = ""
    """What its base URL field needs after `/scim/v2`."""
    assumption: str = ""
    """What of this is an assumption, in words; "" where documentation or observation backs it."""

    def connection_test(self, guid: str) -> str:
        """Give path and query of what the provider asks when somebody presses "Test connection".

        `guid` is a user name that no user has; a good answer is 200 with a ListResponse.
        """
        if self.tests_by_filter:
            wanted = f'userName eq "{guid}"'
            return f"{USERS}?filter={quote(wanted)}"
        return f"{USERS}?startIndex=1&count=2"

    def token_field(self, token: str) -> str:
        """Give what goes into the provider's token field for this token (or its mask)."""
        return f"Bearer {token}" if self.bearer_prefix else token


_UNDOCUMENTED = "Zulip's documentation does not describe {}: "

_ALL = (
    Preset("okta", "Okta", "okta", False, True, False),
    Preset("entra", "Microsoft Entra ID", "entra", True, False, True, "/?aadOptscim062020"),
    Preset(
        "onelogin",
        "OneLogin",
        "onelogin",
        False,
        False,
        False,
        assumption=_UNDOCUMENTED.format("OneLogin")
        + "its SCIM JSON template is taken to send name.givenName and name.familyName; set "
        "name_formatted_included: true if yours sends name.formatted instead",
    ),
    Preset(
        "authentik",
        "authentik",
        "authentik",
        True,
        False,
        False,
        assumption=_UNDOCUMENTED.format("authentik")
        + "its default user mapping is taken to be in use, which sends name.formatted; set "
        "name_formatted_included: false if yours does not",
    ),
    Preset(
        "jumpcloud",
        "JumpCloud",
        "jumpcloud",
        False,
        False,
        False,
        assumption=_UNDOCUMENTED.format("JumpCloud")
        + "it is taken to send name.givenName and name.familyName; set "
        "name_formatted_included: true if it sends name.formatted",
    ),
    Preset(
        "keycloak",
        "Keycloak (with a SCIM plug-in)",
        "keycloak",
        False,
        False,
        False,
        assumption=_UNDOCUMENTED.format("Keycloak's plug-ins")
        + "they differ; yours is taken to send name.givenName and name.familyName; set "
        "name_formatted_included: true if it sends name.formatted",
    ),
    Preset(
        "other",
        "another identity provider",
        "scim",
        False,
        False,
        False,
        assumption="the provider is unknown: it is taken to send name.givenName and "
        "name.familyName; set name_formatted_included: true if it sends name.formatted",
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
"""By the name that the inventory uses."""

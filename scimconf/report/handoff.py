"""The hand-off sheet: what somebody types into the identity provider, realm by realm.

The steps are those of Zulip's help centre (zulip.com/help/scim) for Okta and Microsoft Entra ID;
templates/handoff/ holds the wording.
"""

from __future__ import annotations

from scimconf.model import Realm, Server
from scimconf.secret import Secret
from scimconf.template import render
from scimconf.zulip.block import mask
from scimconf.zulip.presets import PRESETS


def handoff(server: Server, realm: Realm, token: Secret | None) -> str:
    """Give the sheet of one realm as plain text; with no token, what stands for it is shown.

    It ends with a line break. It holds the token in clear if one is given.
    """
    preset = PRESETS[realm.idp]
    shown = token.reveal() if token is not None else mask(realm).text
    other_name = realm.name_formatted_included != preset.name_formatted_included
    template = realm.idp if realm.idp in ("okta", "entra") else "generic"
    sheet = render(
        f"handoff/{template}.txt.j2",
        heading=f"{preset.title} -> {realm.url} (realm {realm.label} of {server.name})",
        title=preset.title,
        your="your identity provider" if preset.name == "other" else preset.title,
        base_url=f"{realm.url}/scim/v2{preset.base_url_suffix}",
        token_field=preset.token_field(shown),
        name_formatted_included=realm.name_formatted_included,
        unusual=other_name and not preset.assumption,
        assumption="" if other_name else preset.assumption,
        fields=tuple((realm.custom_profile_field_map or {}).items()),
        masked=token is None,
        server=server.name,
    )
    return sheet.rstrip() + "\n"

"""What somebody types into the identity provider for one realm, in the provider's own words.

The steps are those of Zulip's help centre (zulip.com/help/scim) for Okta and Microsoft Entra ID;
of the others it says what was assumed. How a sheet looks is `scimconf.report.handoff`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scimconf.model import Realm, Server
from scimconf.secret import Secret
from scimconf.zulip.block import mask
from scimconf.zulip.presets import PRESETS, Preset

_CAUTION = (
    "This sheet holds the token. Whoever has it can create and deactivate users of this realm: "
    "pass it on encrypted, and destroy the sheet once the token is entered."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, then to tick off."""

    text: str
    fields: tuple[tuple[str, str], ...] = ()
    """Name and value, as the provider names them, in its order."""
    after: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """The sheet of one realm. It holds the token in clear if one was given."""

    provider: str
    url: str
    realm: str
    server: str
    starts: str
    """When its token comes into force, "" if it is in force."""
    place: str
    """Where the steps are done: "In the Okta admin console"."""
    steps: tuple[Step, ...]
    remarks: tuple[str, ...]
    masked: bool

    @property
    def heading(self) -> str:
        """Which provider meets which realm."""
        starts = f", {self.starts}" if self.starts else ""
        return f"{self.provider} -> {self.url} (realm {self.realm} of {self.server}){starts}"

    @property
    def show_tokens(self) -> str:
        """Give the command that shows the sheet with its token."""
        return f"scimconf handoff {'--next ' if self.starts else ''}--show-tokens {self.server}"


def sheet(server: Server, realm: Realm, token: Secret | None, starts: str = "") -> Sheet:
    """Give the sheet of one realm; with no token, what stands for it is shown.

    `starts`: when the token comes into force, where it is not yet: "from the cut-over on".
    """
    preset = PRESETS[realm.idp]
    shown = preset.token_field(token.reveal() if token is not None else mask(realm).text)
    base_url = f"{realm.url}/scim/v2{preset.base_url_suffix}"
    place, steps = {"okta": _okta, "entra": _entra}.get(preset.name, _generic)(
        realm, base_url, shown
    )
    return Sheet(
        preset.title,
        realm.url,
        realm.label,
        server.name,
        starts,
        place,
        steps,
        (*_remarks(realm, preset), *([] if token is None else [_CAUTION])),
        masked=token is None,
    )


_Steps = tuple[str, tuple[Step, ...]]


def _okta(realm: Realm, base_url: str, token: str) -> _Steps:
    return "In the Okta admin console", (
        Step('Applications > Browse App Catalog: add "SCIM 2.0 Test App (Header Auth)".'),
        Step(
            "Sign-On Options > Credentials Details",
            (
                ("Application username format", "Email"),
                ("Update application username on", "Create and update"),
            ),
        ),
        Step(
            "Provisioning > Configure API Integration > Enable API integration",
            (("Base URL", base_url), ("API token", token)),
            'The word "Bearer" and one blank belong into that field. "Test API Credentials" must '
            "succeed.",
        ),
        Step(
            "Provisioning > To App: enable Create Users, Update User Attributes, Deactivate Users."
        ),
        Step("Attribute Mappings: keep userName, givenName and familyName, remove all others."),
        *_custom_fields(realm),
        Step(
            "Optional, roles (Zulip 8.0 and later). Profile Editor > Add Attribute",
            (
                ("Data type", "string"),
                ("Variable name, External name", "role"),
                ("External namespace", "urn:ietf:params:scim:schemas:core:2.0:User"),
            ),
            "Values: owner, administrator, moderator, member, guest.",
        ),
        Step(
            "Assignments: assign users. Okta takes over an account with the same email address, or "
            "makes it; taking the assignment away deactivates it."
        ),
    )


def _entra(realm: Realm, base_url: str, token: str) -> _Steps:
    return "In the Microsoft Entra admin center", (
        Step(
            "Identity > Applications > Enterprise applications > New application > Create your own "
            "application > Integrate any other application you don't find in the gallery."
        ),
        Step(
            "Provisioning > Provisioning Mode: Automatic > Admin Credentials",
            (("Tenant URL", base_url), ("Secret Token", token)),
            'The bare token, without the word "Bearer". "Test Connection" must succeed.',
        ),
        Step("Mappings > Provision Microsoft Entra ID Groups: disable it before Zulip 11.0."),
        Step(
            "Mappings > Provision Microsoft Entra ID Users",
            (
                ("userName", "mail (every user must have one)"),
                ("active", "keep"),
                ("name.formatted", "keep"),
            ),
            "Delete all other mappings. Roles cannot be synchronised from Entra "
            "(https://github.com/zulip/zulip/issues/39773).",
        ),
        *_custom_fields(realm),
        Step("Provisioning Status: On, then Save."),
        Step(
            "Users and groups: assign users. The first cycle can take 40 minutes; "
            '"Provision on demand" tries one user at once.'
        ),
    )


def _generic(realm: Realm, base_url: str, token: str) -> _Steps:
    title = PRESETS[realm.idp].title
    names = (
        "name.formatted, the whole name,"
        if realm.name_formatted_included
        else "name.givenName, name.familyName"
    )
    return f"In {'your identity provider' if realm.idp == 'other' else title}", (
        Step(
            "A SCIM 2.0 connection with",
            (("Base URL", base_url), ("Bearer token", token)),
            'Without a slash at the end of the URL. The bare token, without the word "Bearer": if '
            "your provider sends the field as it is, as the whole Authorization header, write the "
            "word and one blank before the token.",
        ),
        Step(
            "Attributes: userName must be the user's email address. "
            f"Send {names} and active; map nothing else."
        ),
        *_custom_fields(realm),
        Step("Groups: do not push them before Zulip 11.0."),
        Step("Let it create, update and deactivate users. Zulip never deletes one through SCIM."),
    )


def _custom_fields(realm: Realm) -> Iterator[Step]:
    if realm.custom_profile_field_map:
        yield Step(
            "Custom profile fields (Zulip 12.0 and later): map these besides.",
            tuple(realm.custom_profile_field_map.items()),
        )


def _remarks(realm: Realm, preset: Preset) -> Iterator[str]:
    differs = realm.name_formatted_included != preset.name_formatted_included
    if preset.assumption and not differs:
        yield f"To check: {preset.assumption}."
    elif differs and not preset.assumption:
        name = (
            "name.formatted"
            if realm.name_formatted_included
            else "name.givenName and name.familyName"
        )
        yield (
            f"This realm says name_formatted_included: {str(realm.name_formatted_included).lower()}"
            f", unlike others of {preset.title}: map {name}, or no user can be created."
        )

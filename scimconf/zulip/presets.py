"""Identity providers: their names, connection tests, token fields, and what to enter into them.

To add a provider, add a `Preset` to `_ALL`. Zulip's help centre (zulip.com/help/scim) describes
Okta and Microsoft Entra ID. It does not describe the others: their `assumption` says what the
operator must check.

`name_formatted_included` follows Zulip's rule (SCIM page of its production manual): true if the
provider sends `name.formatted`, else false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from urllib.parse import quote

from scimconf.server_warning import ServerWarning

USERS = "/scim/v2/Users"


class Slot(Enum):
    """A value on a hand-off sheet that depends on the realm."""

    BASE_URL = "base URL"
    TOKEN = "token"  # noqa: S105


class Names(Enum):
    """How a provider sends the name of a user."""

    FORMATTED = "name.formatted"
    PARTS = "name.givenName and name.familyName"
    BOTH = "all three"
    AS_CONFIGURED = "as name_formatted_included says"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step in the provider's console."""

    text: str
    fields: tuple[tuple[str, str | Slot], ...] = ()
    """Name and value, as the provider names them, in its order."""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Preset:
    """One identity provider."""

    name: str
    """The name in the inventory: `idp: okta`."""
    title: str
    """The provider's own name."""
    client_name: str | None = None
    """The usual `scim_client_name`; None: the same as `name`."""
    name_formatted_included: bool = False
    names: Names = Names.AS_CONFIGURED
    """How it sends names: the test user of `verify` is created in this form."""
    changes_by_patch: bool = False
    """Whether it changes a user with PATCH and a path (Entra). Others send the whole user (PUT)."""
    deactivates_by_patch: bool = False
    """Whether it deactivates a user with PATCH, although it changes users with PUT (Okta)."""
    bearer_prefix: bool = False
    """Whether its token field contains `Bearer <token>`, not only the token."""
    tests_by_filter: bool = False
    """Whether its connection test filters for a user that does not exist (Entra). Other tests read
    the first page of users."""
    base_url_suffix: str = ""
    """What its base URL field needs after `/scim/v2`."""
    console: str | None = None
    """Where the steps are done: "the Okta admin console"; None: the title says it."""
    documented: bool = False
    """Whether Zulip's help centre describes the provider."""
    steps: tuple[Instruction, ...] = ()
    """The first steps; empty: use the steps that fit any provider."""
    last_steps: tuple[Instruction, ...] = ()
    """Steps after those for the optional keys of SCIM_CONFIG (`scimconf.zulip.keys`); empty: those
    that fit any provider."""
    note: str = ""
    """More to check about an undocumented provider."""
    warnings: tuple[ServerWarning, ...] = ()
    """What does not work between this provider and Zulip. `plan` shows it for each realm.
    docs/warnings.md names the sources."""
    field_map_warnings: tuple[ServerWarning, ...] = ()
    """The same, only for realms with custom_profile_field_map."""

    @property
    def client(self) -> str:
        """The usual `scim_client_name`."""
        return self.client_name or self.name

    @property
    def assumption(self) -> str | None:
        """What the operator must check, in words; None if Zulip describes the provider."""
        if self.documented:
            return None
        sent, other = "name.givenName and name.familyName", "name.formatted"
        if self.name_formatted_included:
            sent, other = other, sent
        setting = str(not self.name_formatted_included).lower()
        return (
            f"Zulip's documentation does not describe {self.title}. scimconf assumes that it sends "
            f"{sent}{self.note}. If it sends {other}, set name_formatted_included: {setting}"
        )

    def connection_test(self, guid: str) -> str:
        """Return path and query of the request that the provider's "Test connection" sends.

        `guid` is a user name that no user has. A good answer is 200 with a ListResponse.
        """
        if self.tests_by_filter:
            wanted = f'userName eq "{guid}"'
            return f"{USERS}?filter={quote(wanted)}"
        return f"{USERS}?startIndex=1&count=2"

    def token_field(self, token: str) -> str:
        """Return the content of the provider's token field for this token (or its mask)."""
        return f"Bearer {token}" if self.bearer_prefix else token


_OKTA = Preset(
    "okta",
    "Okta",
    documented=True,
    names=Names.PARTS,
    deactivates_by_patch=True,
    bearer_prefix=True,
    console="the Okta admin console",
    steps=(
        Instruction('Applications > Browse App Catalog: add "SCIM 2.0 Test App (Header Auth)".'),
        Instruction(
            "Sign-On Options > Credentials Details",
            (
                ("Application username format", "Email"),
                ("Update application username on", "Create and update"),
            ),
        ),
        Instruction(
            "Provisioning > Configure API Integration > Enable API integration",
            (("Base URL", Slot.BASE_URL), ("API token", Slot.TOKEN)),
            'Enter the token with the word "Bearer" and one space before it. "Test API '
            'Credentials" must succeed.',
        ),
        Instruction(
            "Provisioning > To App: enable Create Users, Update User Attributes, Deactivate Users."
        ),
        Instruction(
            "Attribute Mappings: keep userName, givenName and familyName. Remove all others."
        ),
    ),
    last_steps=(
        Instruction(
            "Optional, for roles (Zulip 8.0 and later). Profile Editor > Add Attribute",
            (
                ("Data type", "string"),
                ("Variable name, External name", "role"),
                ("External namespace", "urn:ietf:params:scim:schemas:core:2.0:User"),
            ),
            "Values: owner, administrator, moderator, member, guest.",
        ),
        Instruction(
            "Assignments: assign users. For each, Okta takes over the Zulip account with the same "
            "email address, or creates one. Removing an assignment deactivates the account."
        ),
    ),
)

_ENTRA = Preset(
    "entra",
    "Microsoft Entra ID",
    documented=True,
    name_formatted_included=True,
    names=Names.FORMATTED,
    changes_by_patch=True,
    tests_by_filter=True,
    field_map_warnings=(
        ServerWarning(
            "entra-custom-fields",
            "the first time that Microsoft Entra ID writes a custom profile field, it sends an "
            "operation (add) that Zulip does not implement (501), so the field stays empty "
            "(https://github.com/zulip/zulip/issues/39848); a role from Entra ID does not arrive "
            "either (https://github.com/zulip/zulip/issues/39773)",
        ),
    ),
    base_url_suffix="/?aadOptscim062020",
    console="the Microsoft Entra admin center",
    steps=(
        Instruction(
            "Identity > Applications > Enterprise applications > New application > Create your own "
            "application > Integrate any other application you don't find in the gallery."
        ),
        Instruction(
            "Provisioning > Provisioning Mode: Automatic > Admin Credentials",
            (("Tenant URL", Slot.BASE_URL), ("Secret Token", Slot.TOKEN)),
            'Enter the token alone, without the word "Bearer". "Test Connection" must succeed.',
        ),
        Instruction(
            "Mappings > Provision Microsoft Entra ID Groups: disable it if the server runs Zulip "
            "10 or older. Only Zulip 11.0 and later accept groups."
        ),
        Instruction(
            "Mappings > Provision Microsoft Entra ID Users",
            (
                ("userName", "mail (every user must have one)"),
                ("active", "keep"),
                ("name.formatted", "keep"),
            ),
            "Delete all other mappings. Roles cannot be synchronized from Entra "
            "(https://github.com/zulip/zulip/issues/39773).",
        ),
    ),
    last_steps=(
        Instruction("Provisioning Status: On, then Save."),
        Instruction(
            "Users and groups: assign users. The first cycle can take 40 minutes; "
            '"Provision on demand" tries one user at once.'
        ),
    ),
)

_ALL = (
    _OKTA,
    _ENTRA,
    Preset("onelogin", "OneLogin", note=" in its SCIM JSON template"),
    Preset(
        "authentik",
        "authentik",
        name_formatted_included=True,
        names=Names.BOTH,
        note=", as its default user mapping does",
        warnings=(
            ServerWarning(
                "deletion-refused",
                "authentik removes a user with DELETE, and Zulip refuses that (400), so the "
                "account stays active: deactivate the user in authentik or in Zulip first",
            ),
            ServerWarning(
                "username-as-email",
                "authentik's default user mapping sends the username as userName, and Zulip takes "
                "userName as the email address: use a mapping that sends the email address",
            ),
        ),
    ),
    Preset("jumpcloud", "JumpCloud"),
    Preset(
        "keycloak",
        "Keycloak (with a SCIM plug-in)",
        names=Names.PARTS,
        note="; its plug-ins differ in this",
        warnings=(
            ServerWarning(
                "username-as-email",
                "the SCIM plug-in of Keycloak sends the username as userName, and Zulip takes "
                'userName as the email address: turn on "Email as username" in Keycloak',
            ),
        ),
    ),
    Preset(
        "other",
        "another identity provider",
        client_name="scim",
        console="your identity provider",
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
"""By the name that the inventory uses."""

GENERIC_TOKEN_FIELD = "Bearer token"  # noqa: S105
"""What a hand-off sheet calls the field of a provider that has no steps of its own."""

TOKEN_FIELDS = frozenset(
    name
    for preset in _ALL
    for step in (*preset.steps, *preset.last_steps)
    for name, value in step.fields
    if value is Slot.TOKEN
) | {GENERIC_TOKEN_FIELD}
"""All names under which a hand-off sheet can show a token."""

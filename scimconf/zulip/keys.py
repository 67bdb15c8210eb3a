"""The keys of a realm's entry in SCIM_CONFIG, without the bearer token: the only table of them.

To add a key, add a `Key` here. The inventory's schema and reference page, the rendered block, the
import, the listing, saved plans, the hand-off sheet and the version warnings all follow this table.
A value that needs more than its type checked gets a rule in inventory/rules.py (`OF_KEYS`).

Zulip reads the keys in zerver/lib/scim.py; zproject/default_settings.py documents them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scimconf.model import Realm
from scimconf.zulip.versions import Version, parse


@dataclass(frozen=True, slots=True)
class Key:
    """One key of SCIM_CONFIG.

    Masking: the agent shows numbers, booleans and null of every key. It shows text only of the keys
    that `scimconf.agent.entry.KNOWN_KEYS` lists, so a key that is missing there stays masked.
    """

    name: str
    """Its name in SCIM_CONFIG."""
    variable: str
    """Its name in `scim_realms` of the inventory."""
    type: Any
    """The type of its value, for pydantic: `bool`, `str`, `dict[str, str]`."""
    meaning: str
    """One sentence of documentation, without the version."""
    default: str = "the key is left out"
    """In words: what happens if the inventory does not set it."""
    required: bool = False
    """Whether Zulip needs it in every entry. `Realm` then has a field with the variable's name;
    the values of the other keys are in `Realm.options`."""
    since: Version | None = None
    """The first release that knows the key; None: every release with SCIM."""
    sheet: str = ""
    """The title of its step on the hand-off sheet, which shows its value; "": not on the sheet."""

    @property
    def description(self) -> str:
        """The documentation, with the first version."""
        since = f" (Zulip {self.since} and later)" if self.since else ""
        return f"{self.meaning}{since}."

    def known_to(self, version: str | None) -> bool:
        """Return whether this Zulip knows the key; an unknown version counts as a new one."""
        return self.since is None or version is None or parse(version) >= self.since

    def value(self, realm: Realm) -> object:
        """Return what the inventory sets for a realm, or None if the key is left out."""
        found: object = (
            getattr(realm, self.variable) if self.required else realm.options.get(self.variable)
        )
        return dict(found) if isinstance(found, Mapping) else found


KEYS = (
    Key(
        "scim_client_name",
        "client",
        str,
        "The SCIM client's name (`scim_client_name`): letters, digits, spaces and `. _ @ -`. The "
        "first character is a letter or digit",
        default="`scim_client`, else the preset's",
        required=True,
    ),
    Key(
        "name_formatted_included",
        "name_formatted_included",
        bool,
        "Whether the provider sends `name.formatted`",
        default="the preset's",
        required=True,
    ),
    Key(
        "create_guests_without_streams",
        "create_guests_without_streams",
        bool,
        "Whether new guests get no default channels",
        since=Version(9, 0),
    ),
    Key(
        "custom_profile_field_map",
        "custom_profile_field_map",
        dict[str, str],
        "Maps SCIM attributes to the variable names of custom profile fields",
        since=Version(12, 0),
        sheet="Custom profile fields (Zulip 12.0 and later): also map these.",
    ),
)
"""All keys, in the order of Zulip's manual and of the block."""

FIELD_MAP = KEYS[-1]
"""custom_profile_field_map."""
REQUIRED = tuple(key for key in KEYS if key.required)
OPTIONAL = tuple(key for key in KEYS if not key.required)

"""The hand-off sheet of one realm: what to enter into the identity provider, in its own words.

Each provider's steps are in `scimconf.zulip.presets`; `scimconf.report.handoff` prints the sheet.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scimconf.model import Realm, Server
from scimconf.secret import Secret
from scimconf.zulip.block import mask
from scimconf.zulip.keys import OPTIONAL
from scimconf.zulip.presets import GENERIC_TOKEN_FIELD, PRESETS, Instruction, Preset, Slot

_CAUTION = (
    "This sheet contains the token. Anybody who has it can create and deactivate users of this "
    "realm: send the sheet encrypted, and destroy it once the token is entered."
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
    """The sheet of one realm. It contains the token in clear if one was given."""

    provider: str
    url: str
    realm: Realm
    server: str
    staged: bool
    """Whether the token is staged: it comes into force with `rotate --activate`."""
    place: str
    """Where the steps are done: "In the Okta admin console"."""
    steps: tuple[Step, ...]
    remarks: tuple[str, ...]
    masked: bool

    @property
    def starts(self) -> str:
        """When a staged token comes into force; "" for a token that is in force."""
        return "from the cut-over on" if self.staged else ""

    @property
    def heading(self) -> str:
        """The provider and the realm on one line."""
        starts = f", {self.starts}" if self.staged else ""
        return f"{self.provider} -> {self.url} (realm {self.realm.label} of {self.server}){starts}"

    @property
    def show_tokens(self) -> str:
        """The command that prints this sheet with its token."""
        following = ("--next",) if self.staged else ()
        realm = ("--realm", self.realm.string_id)
        words = ("scimconf", "handoff", *following, "--show-tokens", *realm, self.server)
        return shlex.join(words)

    @property
    def verify(self) -> str:
        """The command that checks that the provider's token works."""
        return shlex.join(("scimconf", "verify", self.server))


def sheet(server: Server, realm: Realm, token: Secret | None, *, staged: bool = False) -> Sheet:
    """Return the sheet of one realm; without a token, the sheet shows the token's mask."""
    preset = PRESETS[realm.idp]
    values = {
        Slot.BASE_URL: f"{realm.url}/scim/v2{preset.base_url_suffix}",
        Slot.TOKEN: preset.token_field(mask(realm).text if token is None else token.reveal()),
    }
    first = preset.steps or tuple(_first_steps(realm, preset))
    last = preset.last_steps or _LAST_STEPS
    steps = (
        *(_filled(each, values) for each in first),
        *_optional_keys(realm),
        *(_filled(each, values) for each in last),
    )
    remarks: tuple[str, ...] = tuple(_remarks(realm, preset))
    if staged:
        steps, remarks = tuple(_at_the_cut_over(first, values)), ()
    return Sheet(
        provider=preset.title,
        url=realm.url,
        realm=realm,
        server=server.name,
        staged=staged,
        place=f"In {preset.console or preset.title}",
        steps=steps,
        remarks=(*remarks, *([] if token is None else [_CAUTION])),
        masked=token is None,
    )


def _filled(step: Instruction, values: Mapping[Slot, str]) -> Step:
    fields = tuple(
        (name, values[value] if isinstance(value, Slot) else value) for name, value in step.fields
    )
    return Step(step.text, fields, step.after)


def _at_the_cut_over(first: Iterable[Instruction], values: Mapping[Slot, str]) -> Iterator[Step]:
    """Return the steps for a staged token: the connection exists already."""
    yield Step(
        "Wait for the cut-over. Until then, Zulip refuses this token, and your provider needs the "
        "old one. From the cut-over on, Zulip accepts only this token."
    )
    for step in first:
        if fields := tuple(each for each in step.fields if each[1] is Slot.TOKEN):
            text = (
                "At the cut-over, replace the token in the SCIM connection, which exists already. "
                "Change nothing else."
            )
            yield _filled(Instruction(text, fields, step.after), values)


def _first_steps(realm: Realm, preset: Preset) -> Iterator[Instruction]:
    """Return the steps that fit any provider."""
    with_word = 'with the word "Bearer" and one space before it'
    alone = (
        'alone, without the word "Bearer". If your provider sends the field as the whole '
        "Authorization header, enter the word Bearer and one space before the token"
    )
    yield Instruction(
        "Create a SCIM 2.0 connection with these values. The URL has no slash at its end.",
        (("Base URL", Slot.BASE_URL), (GENERIC_TOKEN_FIELD, Slot.TOKEN)),
        f"Enter the token {with_word if preset.bearer_prefix else alone}.",
    )
    names = (
        "name.formatted (the whole name)"
        if realm.name_formatted_included
        else "name.givenName, name.familyName"
    )
    yield Instruction(
        "Attributes: userName must be the user's email address. "
        f"Send {names} and active; map nothing else."
    )


_LAST_STEPS = (
    Instruction(
        "Groups: do not push them if the server runs Zulip 10 or older. Only Zulip 11.0 and later "
        "accept groups."
    ),
    Instruction(
        "Let it create, update and deactivate users. Zulip never deletes a user through SCIM."
    ),
)


def _optional_keys(realm: Realm) -> Iterator[Step]:
    """Return a step for each optional key of SCIM_CONFIG that the provider has to know."""
    for key in OPTIONAL:
        value = key.value(realm)
        if key.sheet and value:
            pairs = value.items() if isinstance(value, dict) else ((key.variable, value),)
            yield Step(key.sheet, tuple((str(name), str(each)) for name, each in pairs))


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
            f"This realm sets name_formatted_included: "
            f"{str(realm.name_formatted_included).lower()}, which is unusual for {preset.title}. "
            f"Map {name}, or no user can be created."
        )

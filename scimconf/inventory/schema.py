"""The models of our variables, which also generate the JSON Schema and the reference page.

Only this package imports pydantic. The types are strict, because YAML has already decided what is
text and what is a number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from scimconf.idp.kinds import KINDS, Kind, Setting
from scimconf.inventory import rules
from scimconf.inventory.rules import Invalid
from scimconf.model import Reference, VaultValue
from scimconf.secret import Secret
from scimconf.tokens.references import SOURCES
from scimconf.zulip.keys import OPTIONAL, REQUIRED, Key
from scimconf.zulip.presets import PRESETS

# A pydantic plugin would see every checked value, including plaintext tokens. The search for
# plugins also takes as long as building a model.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

T = TypeVar("T")

CONFIG = ConfigDict(
    strict=True,
    extra="forbid",
    frozen=True,
    hide_input_in_errors=True,
    arbitrary_types_allowed=True,
)


def _apply(rule: Callable[..., T], *values: object) -> T:
    try:
        return rule(*values)
    except Invalid as error:
        context = {"message": error.message, "hint": error.hint}
        raise PydanticCustomError("rule", "{message}", context) from None


def rule(check: Callable[[Any], Any]) -> AfterValidator:
    """Return a validator that applies a check of rules.py."""
    return AfterValidator(lambda value: _apply(check, value))


def _token(value: object, info: ValidationInfo) -> object:
    return _apply(rules.token, value, info.context["folder"] if info.context else ".")


_RESTART_SCHEMA = {
    "anyOf": [
        {"enum": ["server", "django", "none"]},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]
}
_TOKEN_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {kind: source.schema() for kind, source in SOURCES.items()},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    ]
}

Idp = Annotated[str, rule(rules.idp), WithJsonSchema({"type": "string", "enum": sorted(PRESETS)})]
Client = Annotated[str, rule(rules.client)]
Url = Annotated[str, rule(rules.url)]
PathOnServer = Annotated[str, rule(rules.absolute)]
User = Annotated[str, rule(rules.user)]
Login = Annotated[str, rule(rules.login)]
ZulipUser = Annotated[str, rule(rules.zulip_user)]
Address = Annotated[str, rule(rules.address)]
Word = Annotated[str, rule(rules.word)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
Restart = Annotated[
    Any,
    AfterValidator(lambda value: _apply(rules.restart, value)),
    WithJsonSchema(_RESTART_SCHEMA),
]
Token = Annotated[
    Reference | Secret | VaultValue, BeforeValidator(_token), WithJsonSchema(_TOKEN_SCHEMA)
]


_CLIENT, _NAME_FORMATTED = REQUIRED


def _folder(info: ValidationInfo) -> str:
    return str(info.context["folder"]) if info.context else "."


_FORMS: dict[str, Any] = {
    "text": Word,
    "id": Annotated[str, rule(rules.identifier)],
    "number": Annotated[int, Field(ge=1)],
    "https": Annotated[str, rule(rules.https)],
    "credential": Annotated[
        str | Reference,
        AfterValidator(lambda value, info: _apply(rules.credential, value, _folder(info))),
    ],
    "file": Annotated[
        str, AfterValidator(lambda value, info: _apply(rules.local_file, value, _folder(info)))
    ],
}
_JSON_TYPES = {"number": "integer"}


def _setting(setting: Setting) -> tuple[Any, Any]:
    form = Literal[setting.choices] if setting.form == "choice" else _FORMS[setting.form]
    return (form, ...) if setting.required else (form | None, None)


def _fields_of(kind: Kind) -> Any:
    """Return the type of the value of a kind: a model with its settings, or a command."""
    if not kind.settings:
        return Annotated[Any, AfterValidator(lambda value: _apply(rules.command_words, value))]
    fields: dict[str, Any] = {each.name: _setting(each) for each in kind.settings}
    model = create_model(f"{kind.name.title()}Variables", __config__=CONFIG, **fields)
    return Annotated[model, rule(rules.one_sign_in)]


def _json_schema(kind: Kind) -> dict[str, Any]:
    if not kind.settings:
        return {"type": ["string", "array"], "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": {
            each.name: {
                "description": f"{each.meaning}.",
                "type": _JSON_TYPES.get(each.form, "string"),
                **({"enum": list(each.choices)} if each.choices else {}),
            }
            for each in kind.settings
        },
        "required": [each.name for each in kind.settings if each.required],
        "additionalProperties": False,
    }


_KIND_FIELDS: dict[str, Any] = {
    kind.name: (_fields_of(kind) | None if kind.settings else _fields_of(kind), None)
    for kind in KINDS.values()
}
DeliverVariables = create_model("DeliverVariables", __config__=CONFIG, **_KIND_FIELDS)
_DELIVER_SCHEMA = {
    "type": "object",
    "properties": {kind.name: _json_schema(kind) for kind in KINDS.values()},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
Delivery: Any = Annotated[
    DeliverVariables,
    rule(rules.one_kind),
    WithJsonSchema(_DELIVER_SCHEMA),
]


def default_words(words: str) -> dict[str, Any]:
    """Return the text for the default column of the reference page."""
    return {"default_words": words}


class RealmFields(BaseModel):
    """One realm under `scim_realms`, without the optional keys of SCIM_CONFIG."""

    model_config = CONFIG

    idp: Idp | None = Field(
        None,
        description="The preset of the identity provider.",
        json_schema_extra=default_words("`scim_idp`"),
    )
    client: Client | None = Field(
        None,
        description=_CLIENT.description,
        json_schema_extra=default_words(_CLIENT.default),
    )
    name_formatted_included: bool | None = Field(
        None,
        description=_NAME_FORMATTED.description,
        json_schema_extra=default_words(_NAME_FORMATTED.default),
    )
    token: Token | None = Field(
        None,
        description="Where the token is kept instead of the token file: "
        f"{', '.join(source.syntax for source in SOURCES.values())}, or a `!vault` value. A token "
        "in clear works, with a warning.",
        json_schema_extra=default_words("scimconf makes one and keeps it in the token file"),
    )
    url: Url | None = Field(
        None,
        description="The realm's URL, `https://host` (http on loopback only).",
        json_schema_extra=default_words("`https://REALM.` and `zulip_external_host`"),
    )
    state: Literal["present", "absent"] = Field(
        "present", description="`absent`: remove the realm's entry from the server."
    )
    moved_from: Annotated[str, rule(rules.string_id)] | None = Field(
        None,
        description="The realm's former name, if it was renamed: `apply` moves its token in the "
        "token file (`scimconf help tokens`).",
        json_schema_extra=default_words("not renamed"),
    )


def _field(key: Key) -> tuple[Any, Any]:
    """Return a field's type and definition, as pydantic's `create_model` takes them."""
    check = rules.OF_KEYS.get(key.name)
    kind = Annotated[key.type, rule(check)] if check else key.type
    words = default_words(key.default)
    return kind | None, Field(None, description=key.description, json_schema_extra=words)


_OPTIONAL_FIELDS: dict[str, Any] = {key.variable: _field(key) for key in OPTIONAL}
_OPTIONAL_FIELDS["deliver"] = (
    Delivery | None,
    Field(
        None,
        description="How scimconf delivers the token to the identity provider: one of "
        f"{', '.join(f'`{kind}`' for kind in KINDS)} (see Delivery).",
        json_schema_extra=default_words("a person enters it there"),
    ),
)
RealmVariables: type[RealmFields] = create_model(
    "RealmVariables",
    __base__=RealmFields,
    __doc__="One realm under `scim_realms`.",
    **_OPTIONAL_FIELDS,
)


class ServerVariables(BaseModel):
    """The variables of a server, except `scim_realms`."""

    model_config = CONFIG

    scim_idp: Idp | None = Field(
        None,
        description="The identity provider of realms without `idp`.",
        json_schema_extra=default_words("`other`"),
    )
    scim_client: Client | None = Field(
        None,
        description="The name of the SCIM client of realms without `client`.",
        json_schema_extra=default_words("the preset's"),
    )
    scim_token_store: Literal["settings", "secrets"] = Field(
        "settings",
        description="Where the token is stored on the server. `settings`: in settings.py, as Zulip "
        "documents it; every local user can read it there. `secrets`: in zulip-secrets.conf, and "
        "settings.py calls `get_secret(...)`.",
    )
    scim_unmanaged: Literal["report", "keep", "remove"] = Field(
        "report",
        description="What to do with unmanaged realms: realms on the server that the inventory "
        "does not name. `report`: leave them unchanged, report them with their lines, exit with "
        "code 2. `keep`: leave them unchanged with a warning. `remove`: remove them.",
    )
    scim_deployment: Word | None = Field(
        None,
        description="A name for the deployment. Give servers that run the same Zulip the same "
        "name: they share their tokens.",
        json_schema_extra=default_words("the host name"),
    )
    scim_moved_from: Word | None = Field(
        None,
        description="The former name of the deployment, if it was renamed (without "
        "`scim_deployment`: the host's former name): `apply` moves its tokens in the token file "
        "(`scimconf help tokens`).",
        json_schema_extra=default_words("not renamed"),
    )
    scim_restart: Restart = Field(
        "server",
        description="How to restart Zulip: `server` (restart-server), `django` (only Django, "
        "which is faster), `none`, or a command as a list of words.",
    )
    scim_restart_timeout: Seconds = Field(
        180, description="Seconds until a restart counts as failed."
    )
    scim_gate_timeout: Seconds = Field(
        60,
        description="Seconds until a restarted Zulip must accept the new tokens. After that, the "
        "server rolls back.",
    )
    scim_probe: Annotated[str, rule(rules.probe)] | None = Field(
        None,
        description="The URL of the web server, as seen on the server itself.",
        json_schema_extra=default_words("https on 127.0.0.1:443, then http on port 80"),
    )
    scim_verify: bool = Field(
        True,
        description="Check with requests that SCIM works, on the server and at the public URL.",
    )
    scim_ca: Word | None = Field(
        None,
        description="A file on this machine with CA certificates for the public URL. A relative "
        "path starts at the folder of the inventory file that has this variable.",
        json_schema_extra=default_words("the system's"),
    )
    scim_silence: list[Annotated[str, rule(rules.warning_id)]] = Field(
        default_factory=list,
        description="The ids of warnings that are not shown for this server "
        "(`scimconf help warnings`).",
        json_schema_extra=default_words("`[]`"),
    )
    scim_zone: Annotated[str, rule(rules.zone)] = Field(
        "default",
        description="The zone of the workers that can reach this server, for `--scheduler` "
        "(`scimconf help scale`). All servers of a deployment are in the same zone.",
    )
    zulip_external_host: Annotated[str, rule(rules.external_host)] | None = Field(
        None,
        description="Zulip's EXTERNAL_HOST, with an optional port. If settings.py has another "
        "value, scimconf does not change the server.",
        json_schema_extra=default_words("the host name"),
    )
    zulip_settings: PathOnServer = Field(
        "/etc/zulip/settings.py", description="Zulip's settings file."
    )
    zulip_secrets: PathOnServer = Field(
        "/etc/zulip/zulip-secrets.conf", description="Zulip's secrets file."
    )
    zulip_deployment: PathOnServer = Field(
        "/home/zulip/deployments/current", description="The folder of the active deployment."
    )
    zulip_user: ZulipUser = Field(
        "zulip", description="The user that Zulip and the agent run as; never `root`."
    )


OURS = (*ServerVariables.model_fields, "scim_realms")
"""The known variables with the prefixes scim_ and zulip_."""

REPLACED = {
    "scim_purge": "use scim_unmanaged: `remove` instead of true; `keep` or `report` (the default) "
    "instead of false",
}
"""Variables of earlier versions, and the hint for each."""

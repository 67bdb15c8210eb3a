"""Build the realms of a server from `scim_realms`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from scimconf.idp.kinds import KINDS
from scimconf.inventory import ini, rules, wording
from scimconf.inventory.place import Place, Problems, kind_of
from scimconf.inventory.schema import RealmFields, RealmVariables, ServerVariables
from scimconf.model import NOTHING, Deliver, Problem, Realm, Server
from scimconf.secret import Sealed, Secret
from scimconf.zulip.keys import OPTIONAL
from scimconf.zulip.presets import PRESETS

_KEYS = tuple(RealmVariables.model_fields)
_INSIDE: dict[tuple[Hashable, ...], tuple[str, ...]] = {
    ("deliver",): tuple(KINDS),
    **{
        ("deliver", kind.name): tuple(each.name for each in kind.settings)
        for kind in KINDS.values()
    },
}
"""The keys inside `deliver`."""


def realms(
    written: object, place: Place, common: ServerVariables, external_host: str, problems: Problems
) -> tuple[Realm, ...] | None:
    """Return the realms of a server, or None if one of them is wrong."""
    if not isinstance(written, dict):
        message = f"expected a mapping of realms, found {kind_of(written)}"
        hint = ini.hint(place, message, 'for example {"": {idp: okta}}')
        problems.error(place.problem(message, hint))
        return None
    built = [
        _realm(key, values, place.inside(key), common, external_host, problems)
        for key, values in written.items()
    ]
    good = tuple(realm for realm in built if realm is not None)
    return good if len(good) == len(built) else None


def _realm(
    key: Hashable,
    values: object,
    place: Place,
    common: ServerVariables,
    external_host: str,
    problems: Problems,
) -> Realm | None:
    given = _checked({} if values is None else values, place, problems)
    try:
        string_id = rules.string_id(key)
    except rules.Invalid as error:
        problems.error(place.problem(error.message, error.hint))
        return None
    if given is None:
        return None
    if isinstance(given.token, Secret) and not isinstance(given.token, Sealed):
        message = "the token of this realm is in plain text in the inventory"
        hint = "remove it: tokens are kept encrypted in the token file; or make it a !vault value"
        at = place.inside("token")
        problems.warn(at.problem(message, hint, "plaintext-token"))
    preset = PRESETS[given.idp or common.scim_idp or "other"]
    formatted = given.name_formatted_included
    return Realm(
        string_id=string_id,
        present=given.state == "present",
        idp=preset.name,
        client=given.client or common.scim_client or preset.client,
        name_formatted_included=preset.name_formatted_included if formatted is None else formatted,
        options=_options(given) or NOTHING,
        token=given.token,
        url=given.url or _url(string_id, external_host),
        position=place.position,
        moved_from=given.moved_from,
        deliver=_deliver(given, str(Path(place.document.file).parent)),
    )


def _deliver(given: RealmFields, folder: str) -> Deliver | None:
    delivery = getattr(given, "deliver")  # noqa: B009 - a field that create_model adds
    for kind in KINDS.values() if delivery else ():
        value = getattr(delivery, kind.name)
        if value is not None and kind.settings:
            found = {each.name: getattr(value, each.name) for each in kind.settings}
            settings = {name: each for name, each in found.items() if each is not None}
            return Deliver(kind.name, settings, folder)
        if value is not None:
            return Deliver(kind.name, {"words": value}, folder)
    return None


def _options(given: RealmFields) -> dict[str, object]:
    """Return the optional keys of SCIM_CONFIG that are set, by their variables."""
    found = {key.variable: getattr(given, key.variable) for key in OPTIONAL}
    return {variable: value for variable, value in found.items() if value is not None}


def _checked(values: object, place: Place, problems: Problems) -> RealmFields | None:
    context = {"folder": str(Path(place.document.file).parent)}
    try:
        return RealmVariables.model_validate(values, context=context)
    except ValidationError as error:
        for problem in wording.problems(
            error, values, lambda path: place.inside(*path), _KEYS, inside=_INSIDE
        ):
            problems.error(problem)
        return None


def _url(string_id: str, external_host: str) -> str:
    return f"https://{string_id}.{external_host}" if string_id else f"https://{external_host}"


def find_contradictions(servers: Iterable[Server], problems: Mapping[str, Problems]) -> None:
    """Report realms that are present on one server of a deployment and absent on another.

    `problems` are those of each host. A problem of two servers belongs to both.

    The servers share the token of the realm, which cannot be both kept and removed.
    """
    first: dict[tuple[str, str], tuple[Server, Realm]] = {}
    for server in servers:
        for realm in server.realms:
            key = (server.deployment, realm.string_id)
            other, same = first.setdefault(key, (server, realm))
            if same.present is realm.present:
                continue
            words = ("absent", "present") if realm.present else ("present", "absent")
            message = f"realm {realm.label} is {words[0]} on {other.name} and {words[1]} here"
            path = f"{server.name}.scim_realms.{realm.string_id or chr(34) * 2}"
            hint = f"both belong to the deployment {server.deployment}: set the same state on both"
            for name in (server.name, other.name):
                problems[name].error(Problem(message, realm.position, path, hint))


def find_split_zones(servers: Iterable[Server], problems: Mapping[str, Problems]) -> None:
    """Report servers of one deployment in different zones: one worker changes all of them.

    `problems` are those of each host. A problem of two servers belongs to both.
    """
    first: dict[str, Server] = {}
    for server in servers:
        other = first.setdefault(server.deployment, server)
        if other.zone == server.zone:
            continue
        message = f"{other.name} is in zone {other.zone}, and this server in zone {server.zone}"
        path = f"{server.name}.scim_zone"
        hint = f"both belong to the deployment {server.deployment}: set the same scim_zone on both"
        for name in (server.name, other.name):
            problems[name].error(Problem(message, server.position, path, hint))


def find_shared_urls(servers: Iterable[Server], problems: Mapping[str, Problems]) -> None:
    """Report realms with the same URL, unless their servers are one deployment.

    `problems` are those of each host. A problem of two servers belongs to both.
    """
    first: dict[str, tuple[Server, Realm]] = {}
    for server in servers:
        for realm in server.realms:
            if not realm.present:
                continue
            key = realm.url.lower().removesuffix(":443")
            other, same = first.setdefault(key, (server, realm))
            if same is realm:
                continue
            together = server is not other and server.deployment == other.deployment
            if together and realm.string_id == same.string_id:
                continue
            message = f"{realm.url} is already the URL of realm {same.label} of {other.name}"
            where = f" at {same.position}" if same.position else ""
            path = f"{server.name}.scim_realms.{realm.string_id or chr(34) * 2}"
            hint = "if they are one Zulip, set the same scim_deployment" * (server is not other)
            for name in (server.name, other.name):
                problems[name].error(Problem(message + where, realm.position, path, hint))

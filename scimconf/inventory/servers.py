"""From a host's variables to a Server."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path

from scimconf.inventory import rules
from scimconf.inventory.connection import connection
from scimconf.inventory.reader import Reader
from scimconf.inventory.realms import realms
from scimconf.inventory.schema import ServerVariables
from scimconf.model import Paths, Realm, Server

_COMMON = tuple(ServerVariables.model_fields)


def server(reader: Reader, options: Mapping[str, object]) -> Server | None:
    """Give the server that a host is, or None where something is wrong.

    `options` are connection options of the command line, by the names of the variables.
    """
    common = reader.checked(ServerVariables, reader.expanded(_COMMON))
    wanted = reader.expanded(["scim_realms"])
    # What the rest needs of a wrong value is its default: the error is already known.
    known = common or ServerVariables.model_validate({})
    host = known.zulip_external_host or _default_host(reader, wrong=common is None)
    how = connection(reader, options, known.zulip_user)
    built: tuple[Realm, ...] | None = None if "scim_realms" in reader.written.values else ()
    if wanted:
        place = reader.written.origin("scim_realms")
        built = realms(wanted["scim_realms"], place, known, host, reader.problems)
    if common is None or how is None or built is None:
        return None
    return Server(
        name=reader.name,
        connection=how,
        paths=Paths(
            settings=common.zulip_settings,
            secrets=common.zulip_secrets,
            deployment=common.zulip_deployment,
            user=common.zulip_user,
        ),
        external_host=host,
        realms=built,
        token_store=common.scim_token_store,
        unmanaged=common.scim_unmanaged,
        deployment=common.scim_deployment or reader.name,
        restart=common.scim_restart,
        restart_timeout=common.scim_restart_timeout,
        gate_timeout=common.scim_gate_timeout,
        probe=common.scim_probe,
        verify=common.scim_verify,
        ca=_beside(reader, "scim_ca", common.scim_ca),
        position=reader.written.place.position,
    )


def _default_host(reader: Reader, *, wrong: bool) -> str:
    try:
        return rules.external_host(reader.name)
    except rules.Invalid:
        if not wrong:
            message = "the name of this host cannot be Zulip's EXTERNAL_HOST"
            place = reader.written.place
            reader.problems.error(place.problem(message, "set zulip_external_host"))
        return reader.name


def _beside(reader: Reader, name: str, path: str | None) -> str | None:
    """Give a path on this machine; a relative one starts at the file that says it."""
    if path is None:
        return None
    folder = Path(reader.written.origin(name).document.file).parent
    return str(folder / os.path.expanduser(path))

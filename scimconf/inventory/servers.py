"""Build Servers from the variables of hosts."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scimconf.inventory import rules
from scimconf.inventory.connection import connection
from scimconf.inventory.layout import Layout
from scimconf.inventory.place import Problems, nearest
from scimconf.inventory.reader import Reader
from scimconf.inventory.realms import find_contradictions, find_shared_urls, realms
from scimconf.inventory.renames import find_renames, with_peers
from scimconf.inventory.schema import OURS, REPLACED, ServerVariables
from scimconf.model import Paths, Realm, Server

_PREFIXES = ("scim_", "zulip_")
_COMMON = tuple(ServerVariables.model_fields)


def check_names(found: Layout, problems: Problems) -> None:
    """Report unknown variables with our prefixes."""
    for layer in found.layers():
        for name in map(str, layer.values):
            if name.startswith(_PREFIXES) and name not in OURS:
                message = "this variable was replaced" if name in REPLACED else "unknown variable"
                hint = REPLACED.get(name) or nearest(name, OURS)
                problems.error(layer.place.inside(name).problem(message, hint))


def build(
    found: Layout, options: Mapping[str, object], problems: Problems, *, bare: bool
) -> dict[str, Server]:
    """Return the servers by host name; `bare` and `options` as for `inventory.load`."""
    built = {}
    for name, written in found.written.items():
        if "scim_realms" in written.values or bare:
            own = Problems()
            server = _server(Reader(name, written, found.variables(name), own), options)
            silenced = problems.add(own, server.silence if server else ())
            if server is not None:
                built[name] = replace(server, silenced=silenced)
    built = with_peers(built)
    find_renames(built.values(), problems)
    find_shared_urls(built.values(), problems)
    find_contradictions(built.values(), problems)
    return built


def _server(reader: Reader, options: Mapping[str, object]) -> Server | None:
    """Return the server of a host, or None if one of its variables is wrong."""
    common = reader.checked(ServerVariables, reader.expanded(_COMMON))
    wanted = reader.expanded(["scim_realms"])
    # Continue with the defaults to find more problems; the error is already reported.
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
        silence=tuple(sorted({*common.scim_silence})),
        moved_from=common.scim_moved_from or "",
    )


def _default_host(reader: Reader, *, wrong: bool) -> str:
    try:
        return rules.external_host(reader.name)
    except rules.Invalid:
        if not wrong:
            message = "this host name cannot be Zulip's EXTERNAL_HOST"
            place = reader.written.place
            reader.problems.error(place.problem(message, "set zulip_external_host"))
        return reader.name


def _beside(reader: Reader, name: str, path: str | None) -> str | None:
    """Return a path on this machine; a relative path starts at the file that contains it.

    A file that does not exist is an error.
    """
    if path is None:
        return None
    place = reader.written.origin(name)
    file = Path(place.document.file).parent / os.path.expanduser(path)
    if not file.is_file():
        what = "is not a regular file" if file.exists() else "does not exist"
        hint = "a relative path starts in the folder of the file that sets it"
        reader.problems.error(place.problem(f"the file {file} {what}", hint))
    return str(file)

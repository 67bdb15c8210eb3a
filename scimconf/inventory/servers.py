"""Build Servers from the variables of hosts."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scimconf.inventory import rules
from scimconf.inventory.connection import connection
from scimconf.inventory.layout import Layout
from scimconf.inventory.place import Layer, Problems, nearest
from scimconf.inventory.reader import Reader
from scimconf.inventory.realms import (
    find_contradictions,
    find_shared_urls,
    find_split_zones,
    realms,
)
from scimconf.inventory.renames import find_renames, with_peers
from scimconf.inventory.schema import OURS, REPLACED, ServerVariables
from scimconf.model import Paths, Problem, Realm, Server

_PREFIXES = ("scim_", "zulip_")
_COMMON = tuple(ServerVariables.model_fields)


@dataclass(slots=True)
class Built:
    """The servers, and the problems of each host."""

    servers: dict[str, Server] = field(default_factory=dict)
    """The servers whose variables are all known."""
    problems: dict[str, Problems] = field(default_factory=dict)
    """Host -> its problems, also if it is not a server."""
    broken: dict[str, str | None] = field(default_factory=dict)
    """Hosts whose variables have errors -> the deployment; None if that is not known either."""
    unused: Problems = field(default_factory=Problems)
    """Problems with variables that no host has."""


def build(found: Layout, options: Mapping[str, object], *, bare: bool) -> Built:
    """Build the servers; `bare` and `options` as for `inventory.read`."""
    built = Built()
    names = _Names()
    closed = frozenset(layer.place.document.file for layer in found.vars_files if layer.closed)
    for name, written in found.written.items():
        problems = built.problems[name] = Problems()
        for layer in written.layers:
            problems.errors.update(dict.fromkeys(names.wrong(layer)))
            if layer.closed:
                (problems.error if layer.wrong else problems.warn)(layer.closed)
        if "scim_realms" in written.values or bare:
            own = Problems()
            trusted = found.vault.trusted
            reader = Reader(name, written, found.variables(name), own, closed, trusted)
            server = _server(reader, options, bare=bare)
            if any(layer.wrong for layer in written.closed):
                # The wrong password is an error already: leave out the errors that follow from it.
                own.errors = {each: None for each in own.errors if not each.follows}
            silenced = problems.add(own, server.silence if server else ())
            if server is not None and not problems.errors:
                built.servers[name] = replace(server, silenced=silenced)
        if problems.errors:
            built.broken[name] = _deployment(Reader(name, written, found.variables(name)))
        found.forget(name)
    for layer in found.layers():
        if not names.knows(layer):
            built.unused.errors.update(dict.fromkeys(names.wrong(layer)))
    built.servers = with_peers(built.servers)
    find_renames(built.servers.values(), built.problems)
    find_shared_urls(built.servers.values(), built.problems)
    find_contradictions(built.servers.values(), built.problems)
    find_split_zones(built.servers.values(), built.problems)
    return built


class _Names:
    """Finds unknown variables with our prefixes, once in each layer."""

    def __init__(self) -> None:
        self._found: dict[int, list[Problem]] = {}

    def knows(self, layer: Layer) -> bool:
        return id(layer) in self._found

    def wrong(self, layer: Layer) -> list[Problem]:
        if id(layer) not in self._found:
            self._found[id(layer)] = [
                _unknown(layer, name)
                for name in map(str, layer.values)
                if name.startswith(_PREFIXES) and name not in OURS
            ]
        return self._found[id(layer)]


def _unknown(layer: Layer, name: str) -> Problem:
    message = "this variable was replaced" if name in REPLACED else "unknown variable"
    hint = REPLACED.get(name) or nearest(name, OURS)
    return layer.place.inside(name).problem(message, hint, quotes=False)


def _deployment(reader: Reader) -> str | None:
    """Return the deployment of a host with errors; None if it is one of the errors."""
    common = reader.checked(ServerVariables, reader.shown(["scim_deployment"]))
    if common is None or reader.problems.errors:
        return None
    return common.scim_deployment or reader.name


def _server(reader: Reader, options: Mapping[str, object], *, bare: bool) -> Server | None:
    """Return the server of a host; None if a variable is wrong, or `scim_realms` is omitted."""
    common = reader.checked(ServerVariables, reader.shown(_COMMON))
    wanted = reader.shown(["scim_realms"], lambda keys: keys[1:] == ("token",))
    # Continue with the defaults to find more problems; the error is already reported.
    known = common or ServerVariables.model_validate({})
    host = known.zulip_external_host or _default_host(reader, wrong=common is None)
    how = connection(reader, options, known.zulip_user)
    built: tuple[Realm, ...] | None = () if bare else None
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
        zone=common.scim_zone,
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

"""Find the former names of deployments and realms: `scim_moved_from` and `moved_from`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from scimconf.inventory.place import Problems
from scimconf.model import Place, Places, Problem, Realm, Server


def with_peers(servers: Mapping[str, Server]) -> dict[str, Server]:
    """Return the servers, each with the names of all servers of its deployment."""
    names: dict[str, list[str]] = {}
    for server in servers.values():
        names.setdefault(server.deployment, []).append(server.name)
    return {
        name: replace(server, peers=tuple(names[server.deployment]))
        for name, server in servers.items()
    }


def places(servers: Iterable[Server], broken: Collection[str | None] = ()) -> Places:
    """Return the places of all tokens in the token file, and their former places.

    `broken` are the deployments of hosts whose variables have errors, None for one that is not
    known. Such a host may still have the realm at a former place, so nothing is moved from there.
    """
    servers = list(servers)
    named = frozenset(
        (server.deployment, realm.string_id) for server in servers for realm in server.realms
    )
    renamed = {}
    for server in servers:
        for realm in server.realms:
            if olds := tuple(
                old
                for old in _former(server, realm)
                if old not in named and not {old[0], None} & {*broken}
            ):
                renamed[server.deployment, realm.string_id] = olds
    return Places(named, renamed)


def _former(server: Server, realm: Realm) -> Iterator[Place]:
    """Yield the places where the token of a realm may still be, the likeliest first.

    If both names have changed, an earlier run may have moved the token for one of them.
    """
    new = (server.deployment, realm.string_id)
    deployments = dict.fromkeys((server.deployment, server.moved_from or server.deployment))
    name = realm.string_id if realm.moved_from is None else realm.moved_from
    yield from ((each, name) for each in deployments if (each, name) != new)
    if server.moved_from and realm.moved_from is not None:
        yield server.moved_from, realm.string_id


def find_renames(servers: Iterable[Server], problems: Mapping[str, Problems]) -> None:
    """Report former names that the inventory still has, and those that two places share."""
    servers = list(servers)
    named = {
        (server.deployment, realm.string_id): (server, realm)
        for server in servers
        for realm in server.realms
    }
    first: dict[Place, tuple[Server, Realm]] = {}
    for server in servers:
        for realm in server.realms:
            if realm.moved_from is None:
                continue
            old = (server.deployment, realm.moved_from)
            path = f"{server.name}.scim_realms.{realm.string_id or chr(34) * 2}.moved_from"
            label = realm.moved_from or "(root)"
            if old in named:
                message = f"the realm {label} is still in the inventory, so it was not renamed"
                hint = "remove moved_from, or remove the old realm from scim_realms"
                problems[server.name].error(Problem(message, realm.position, path, hint))
                continue
            other, same = first.setdefault(old, (server, realm))
            if same.string_id != realm.string_id:
                message = f"realm {same.label} of {other.name} was already moved from {label}"
                hint = "a token moves to one realm: remove one of the two moved_from"
                problems[server.name].error(Problem(message, realm.position, path, hint))
    _find_renamed_deployments(servers, problems)


def _find_renamed_deployments(servers: Iterable[Server], problems: Mapping[str, Problems]) -> None:
    servers = list(servers)
    deployments = {server.deployment: server for server in servers}
    first: dict[str, Server] = {}
    for server in servers:
        if not server.moved_from or server.moved_from == server.deployment:
            continue
        path = f"{server.name}.scim_moved_from"
        if server.moved_from in deployments:
            message = f"{server.moved_from} is still in the inventory, so it was not renamed"
            hint = "remove scim_moved_from, or remove the old name from the inventory"
            problems[server.name].error(Problem(message, server.position, path, hint))
            continue
        other = first.setdefault(server.moved_from, server)
        if other.deployment != server.deployment:
            message = f"{other.name} was already moved from {server.moved_from}"
            hint = "tokens move to one deployment: set scim_moved_from for its servers only"
            problems[server.name].error(Problem(message, server.position, path, hint))

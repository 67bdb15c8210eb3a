"""YAML to Servers: Ansible's inventory shape, its precedence, its host patterns, our schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimconf.errors import InventoryError
from scimconf.inventory import ansible_cfg, layout, listing, patterns
from scimconf.inventory.layout import Layout
from scimconf.inventory.listing import Node
from scimconf.inventory.place import Problems, nearest
from scimconf.model import Problem, Server

_PREFIXES = ("scim_", "zulip_")


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that the sources say."""

    servers: Mapping[str, Server]
    """The hosts that have `scim_realms`, in the inventory's order."""
    hosts: tuple[str, ...]
    """All hosts: patterns may name the others too."""
    groups: Mapping[str, tuple[str, ...]]
    """Each group with all of its hosts, those of the groups below it included."""
    tree: Mapping[str, Node]
    warnings: tuple[Problem, ...]


def load(
    paths: Sequence[Path],
    options: Mapping[str, object] | None = None,
    *,
    allow_exec: bool = False,
    bare: bool = False,
) -> Inventory:
    """Read the inventory that these sources (files or folders, in order) make together.

    `-` is stdin; a source that is a program runs if `allow_exec` says so. With `bare`, a host
    without `scim_realms` is a server too, without realms.

    `options` are connection options of the command line by the names of Ansible's variables
    (`ansible_user`, ...); the inventory's own are stronger. Nothing is asked of any server, no
    vault is opened and no reference resolved. Raises InventoryError with every problem at once.
    """
    problems = Problems()
    found = layout.read(paths, problems, allow_exec=allow_exec)
    _check_names(found, problems)
    servers = _servers(found, options or {}, problems, bare=bare)
    for warning in ansible_cfg.warnings([Path(), *found.folders]):
        problems.warn(warning)
    if problems.errors:
        raise InventoryError(_sorted(problems.errors))
    return Inventory(
        servers=servers,
        hosts=tuple(found.tree.hosts),
        groups={name: tuple(hosts) for name, hosts in found.groups.items()},
        tree={
            name: Node(tuple(child.name for child in group.children), tuple(group.hosts))
            for name, group in found.tree.groups.items()
        },
        warnings=tuple(_sorted(problems.warnings)),
    )


def select(
    inventory: Inventory, pattern: Sequence[str], limit: Sequence[str] = ()
) -> tuple[Server, ...]:
    """Give the servers that the patterns (none: all) and the limit name; perhaps none.

    Raises UsageError for a pattern that matches no host at all, with the nearest name.
    """
    names = patterns.matching(pattern, limit, inventory.groups, inventory.hosts)
    return tuple(inventory.servers[name] for name in names if name in inventory.servers)


def as_listing(inventory: Inventory, pattern: Sequence[str] = ()) -> dict[str, Any]:
    """Give what `ansible-inventory --list` gives, with the servers' variables as we see them."""
    names = patterns.matching(pattern, (), inventory.groups, inventory.hosts)
    return listing.listing(inventory, names)


def as_graph(inventory: Inventory) -> str:
    """Draw groups and hosts as `ansible-inventory --graph` does."""
    return listing.graph(inventory.tree)


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of an inventory file, for editors."""
    from scimconf.inventory.editor_schema import inventory_schema

    return inventory_schema()


# --- the steps of load ------------------------------------------------------------------------


def _check_names(found: Layout, problems: Problems) -> None:
    """Report variables that begin as ours do and are none of them."""
    from scimconf.inventory.schema import OURS, REPLACED

    for layer in found.layers():
        for name in map(str, layer.values):
            if name.startswith(_PREFIXES) and name not in OURS:
                place = layer.place.inside(name)
                what = "no longer a variable" if name in REPLACED else "unknown variable"
                hint = REPLACED.get(name) or nearest(name, OURS)
                problems.error(place.problem(what, hint))


def _servers(
    found: Layout, options: Mapping[str, object], problems: Problems, *, bare: bool
) -> dict[str, Server]:
    from scimconf.inventory.reader import Reader
    from scimconf.inventory.realms import find_contradictions, find_shared_urls
    from scimconf.inventory.servers import server

    built = {}
    for name, written in found.written.items():
        if "scim_realms" not in written.values and not bare:
            continue
        reader = Reader(name, written, found.variables(name), problems)
        one = server(reader, options)
        if one is not None:
            built[name] = one
    find_shared_urls(built.values(), problems)
    find_contradictions(built.values(), problems)
    return built


def _sorted(problems: Mapping[Problem, None]) -> list[Problem]:
    """Put problems in the order of the files, those without a place first."""
    files = list(dict.fromkeys(each.position.file for each in problems if each.position))

    def key(problem: Problem) -> tuple[int, int, int]:
        at = problem.position
        return (files.index(at.file), at.line, at.column) if at else (-1, 0, 0)

    return sorted(problems, key=key)

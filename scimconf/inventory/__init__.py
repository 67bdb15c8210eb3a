"""Read Ansible inventories into Servers: YAML shape, precedence, host patterns, our schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimconf.errors import InventoryError
from scimconf.inventory import ansible_cfg, layout, listing, patterns, renames
from scimconf.inventory.listing import Node
from scimconf.inventory.place import Problems
from scimconf.model import Places, Problem, Server


@dataclass(frozen=True, slots=True)
class Inventory:
    """The content of all sources."""

    servers: Mapping[str, Server]
    """The hosts with `scim_realms`, in the order of the inventory."""
    hosts: tuple[str, ...]
    """All hosts. Patterns may name hosts that are not servers."""
    groups: Mapping[str, tuple[str, ...]]
    """The hosts of each group, including those of its child groups."""
    tree: Mapping[str, Node]
    warnings: tuple[Problem, ...]
    places: Places = field(default_factory=Places)
    """The places of the servers' tokens in the token file."""


def load(
    paths: Sequence[Path],
    options: Mapping[str, object] | None = None,
    *,
    allow_exec: bool = False,
    bare: bool = False,
) -> Inventory:
    """Read the sources (files or folders, in order) as one inventory.

    `-` is stdin. A source that is a program runs only with `allow_exec`. With `bare`, a host that
    has no `scim_realms` is a server without realms.

    `options` are the connection options of the command line, named like Ansible's variables
    (`ansible_user`, ...). The inventory's own variables override them. This function contacts no
    server, opens no vault value and resolves no reference.

    Raises InventoryError with every problem.
    """
    # pydantic is slow to import, and shell completion reads layouts only.
    from scimconf.inventory import servers

    problems = Problems()
    found = layout.read(paths, problems, allow_exec=allow_exec)
    servers.check_names(found, problems)
    built = servers.build(found, options or {}, problems, bare=bare)
    for warning in ansible_cfg.warnings([Path(), *found.folders]):
        problems.warn(warning)
    if problems.errors:
        raise InventoryError(_sorted(problems.errors))
    return Inventory(
        servers=built,
        hosts=tuple(found.tree.hosts),
        groups={name: tuple(hosts) for name, hosts in found.groups.items()},
        tree={
            name: Node(tuple(child.name for child in group.children), tuple(group.hosts))
            for name, group in found.tree.groups.items()
        },
        warnings=tuple(_sorted(problems.warnings)),
        places=renames.places(built.values()),
    )


def select(
    inventory: Inventory, pattern: Sequence[str], limit: Sequence[str] = ()
) -> tuple[Server, ...]:
    """Return the servers that match both the patterns (default: all) and the limit.

    Raises UsageError, with the nearest name, for a pattern that matches no host.
    """
    names = patterns.matching(pattern, limit, inventory.groups, inventory.hosts)
    return tuple(inventory.servers[name] for name in names if name in inventory.servers)


def as_listing(inventory: Inventory, pattern: Sequence[str] = ()) -> dict[str, Any]:
    """Return the structure of `ansible-inventory --list`, with the variables of our servers."""
    names = patterns.matching(pattern, (), inventory.groups, inventory.hosts)
    return listing.listing(inventory.tree, inventory.servers, names)


def as_graph(inventory: Inventory) -> str:
    """Return groups and hosts as `ansible-inventory --graph` draws them."""
    return listing.graph(inventory.tree)


def _sorted(problems: Mapping[Problem, None]) -> list[Problem]:
    """Sort problems by position; those without a position come first."""
    files = list(dict.fromkeys(each.position.file for each in problems if each.position))

    def key(problem: Problem) -> tuple[int, int, int]:
        at = problem.position
        return (files.index(at.file), at.line, at.column) if at else (-1, 0, 0)

    return sorted(problems, key=key)

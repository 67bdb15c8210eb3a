"""Read Ansible inventories into Servers: YAML shape, precedence, host patterns, our schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimconf.errors import InventoryError
from scimconf.inventory import ansible_cfg, layout, listing, patterns, programs, renames
from scimconf.inventory.listing import Node
from scimconf.inventory.place import Problems
from scimconf.model import Places, Problem, Server, VaultValue
from scimconf.secret import Secret

Passwords = Callable[[], Mapping[str, Secret]]
"""As in `scimconf.tokens.keyring`, which is slow to import."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The content of all sources."""

    servers: Mapping[str, Server]
    """The hosts with `scim_realms` and without errors, in the order of the inventory."""
    hosts: tuple[str, ...]
    """All hosts. Patterns may name hosts that are not servers."""
    groups: Mapping[str, tuple[str, ...]]
    """The hosts of each group, including those of its child groups."""
    tree: Mapping[str, Node]
    warnings: tuple[Problem, ...]
    """All warnings."""
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """The errors of each host that has any. They stop a run only if it selects the host."""
    notes: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """The warnings of each host that has any; they are in `warnings`, too."""
    closed: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """The encrypted files of each host that could not be read; the problems are in `notes` or
    `problems`, too."""
    unused: tuple[Problem, ...] = ()
    """Errors in variables that no host has."""
    broken: Mapping[str, str | None] = field(default_factory=dict)
    """The hosts that `servers` lacks because of errors -> the deployment, None if not known."""
    env_names: frozenset[str] = frozenset()
    """The environment variables after `env:` in the realms of broken hosts."""
    places: Places = field(default_factory=Places)
    """The places of the servers' tokens in the token file."""

    def errors_of(self, names: Iterable[str]) -> list[Problem]:
        """Return the errors of these hosts, each once."""
        errors = (each for name in names for each in self.problems.get(name, ()))
        return _sorted(dict.fromkeys(errors))

    def closed_files(self) -> list[Problem]:
        """Return the encrypted files that could not be read, each once."""
        return list(dict.fromkeys(each for of in self.closed.values() for each in of))

    def unknown_of(self, names: Iterable[str]) -> list[Problem]:
        """Return why variables for the connection to these hosts are not known, each once.

        The cause is a vault password that was not given. A run that contacts no server needs none.
        """
        servers = (self.servers[name] for name in names if name in self.servers)
        found = (each for of in servers for each in of.connection.unknown.values())
        return _sorted(dict.fromkeys(found))

    def check(self, names: Sequence[str], *, connects: bool = False) -> None:
        """Raise InventoryError with the errors of these hosts, if they have any.

        `connects`: whether the run connects to them, so that it needs all variables.
        """
        errors = self.errors_of(names)
        if connects:
            errors = _sorted(dict.fromkeys([*errors, *self.unknown_of(names)]))
        if errors:
            raise InventoryError(errors)

    def check_all(self) -> None:
        """Raise InventoryError with all errors, if there are any."""
        errors = [*self.unused, *(each for of in self.problems.values() for each in of)]
        if errors:
            raise InventoryError(_sorted(dict.fromkeys(errors)))

    def warnings_of(self, names: Iterable[str]) -> tuple[Problem, ...]:
        """Return the warnings that concern these hosts or no host in particular."""
        mine = {each for name in names for each in self.notes.get(name, ())}
        others = {each for of in self.notes.values() for each in of} - mine
        return tuple(each for each in self.warnings if each not in others)


def load(
    paths: Sequence[Path],
    options: Mapping[str, object] | None = None,
    *,
    allow_exec: bool = False,
    bare: bool = False,
    passwords: Passwords | None = None,
) -> Inventory:
    """Read the sources as `read` does. Raises InventoryError with the problems of all hosts."""
    found = read(paths, options, allow_exec=allow_exec, bare=bare, passwords=passwords)
    found.check_all()
    return found


def read(
    paths: Sequence[Path],
    options: Mapping[str, object] | None = None,
    *,
    allow_exec: bool = False,
    bare: bool = False,
    passwords: Passwords | None = None,
    refuse: Callable[[VaultValue], None] = lambda _: None,
    extra: Sequence[str] = (),
) -> Inventory:
    """Read the sources (files or folders, in order) as one inventory.

    `-` is stdin. A source that is a program runs only with `allow_exec`. With `bare`, a host that
    has no `scim_realms` is a server without realms.

    `options` are the connection options of the command line, named like Ansible's variables
    (`ansible_user`, ...). The inventory's own variables override them. `extra` are the values of
    `-e`, which override all others.

    `passwords` is asked for the vault passwords if a file or a value must be opened; without any,
    they stay closed. Tokens stay encrypted. `refuse` raises UsageError for a vault value that is a
    token of the token file. This function contacts no server and resolves no reference.

    Raises InventoryError for files that cannot be read, with every problem. The problems of single
    hosts are in the result: see `Inventory.check`.
    """
    # pydantic and cryptography are slow to import, and shell completion reads layouts only.
    from scimconf.inventory import extra_vars, servers
    from scimconf.inventory.misuse import find_misused
    from scimconf.inventory.opener import Opener

    problems = Problems()
    around = [Path(), *(each if each.is_dir() else each.parent for each in paths)]
    vault = Opener(passwords, refuse, lambda: ansible_cfg.vault_note(around), trusted=allow_exec)
    layers = extra_vars.layers(extra, vault, problems)
    if problems.errors:  # others could follow from them
        raise InventoryError(_sorted(problems.errors))
    found = layout.read(paths, problems, allow_exec=allow_exec, vault=vault, extra=layers)
    built = servers.build(found, options or {}, bare=bare)
    find_misused(built.servers.values(), vault.opened, problems)
    for warning in ansible_cfg.warnings([Path(), *found.folders]):
        problems.warn(warning)
    of_hosts = built.problems.values()
    if problems.errors:
        every = (problems, built.unused, *of_hosts)
        raise InventoryError(_sorted({each: None for of in every for each in of.errors}))
    warnings = {each: None for of in (problems, *of_hosts) for each in of.warnings}
    return Inventory(
        servers=built.servers,
        hosts=tuple(found.tree.hosts),
        groups={name: tuple(hosts) for name, hosts in found.groups.items()},
        tree={
            name: Node(tuple(child.name for child in group.children), tuple(group.hosts))
            for name, group in found.tree.groups.items()
        },
        warnings=tuple(_sorted(warnings)),
        problems={n: tuple(of.errors) for n, of in built.problems.items() if of.errors},
        notes={n: tuple(of.warnings) for n, of in built.problems.items() if of.warnings},
        closed={
            name: tuple(layer.closed for layer in written.layers if layer.closed)
            for name, written in found.written.items()
            if written.closed
        },
        unused=tuple(built.unused.errors),
        broken=built.broken,
        env_names=_env_names(found.written[name].values for name in built.broken),
        places=renames.places(built.servers.values(), built.broken.values()),
    )


def _env_names(values: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """Return the names after `env:` in the realms of these hosts. They may be wrong otherwise."""
    return programs.token_names(str(each.get("scim_realms")) for each in values)


def select(
    inventory: Inventory, pattern: Sequence[str], limit: Sequence[str] = ()
) -> tuple[Server, ...]:
    """Return the servers that match both the patterns (default: all) and the limit.

    Raises InventoryError with the errors of the hosts that match, and UsageError, with the nearest
    name, for a pattern that matches no host.
    """
    names = selected(inventory, pattern, limit)
    inventory.check(names)
    return tuple(inventory.servers[name] for name in names if name in inventory.servers)


def selected(
    inventory: Inventory, pattern: Sequence[str], limit: Sequence[str] = ()
) -> Sequence[str]:
    """Return the hosts that match. Raises UsageError for a pattern that matches no host."""
    return patterns.matching(pattern, limit, inventory.groups, inventory.hosts)


def as_listing(inventory: Inventory, pattern: Sequence[str] = ()) -> dict[str, Any]:
    """Return the structure of `ansible-inventory --list`, with the variables of our servers.

    Raises InventoryError as `select` does.
    """
    names = selected(inventory, pattern)
    inventory.check(names)
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

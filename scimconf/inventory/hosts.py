"""Build the tree of groups and hosts.

The rules are those of ansible's plugins/inventory/yaml.py and inventory/data.py
(reconcile_inventory). Ansible skips some mistakes with a message at -vvv; here they are errors.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from scimconf.errors import InventoryError
from scimconf.inventory import ranges
from scimconf.inventory.place import Layer, Place, Problems, kind_of, nearest
from scimconf.model import Problem
from scimconf.yamlfile import Document

_SECTIONS = ("hosts", "children", "vars")
_BAD_NAME = re.compile(r"[\s\x00-\x20\x7f/\\,;'\"`$|&<>(){}]|^-")
MAX_HOSTS = 100_000
MAX_NAMED = 300_000
"""The most hosts of all lines. A host counts again on each line that names it, also in a range."""
MAX_NAMES = 16 << 20
"""The most characters in the names of all lines."""
MAX_MEMBERS = 2_000_000
"""The most steps from groups to their parents, child groups and hosts, direct and indirect."""


@dataclass(eq=False, slots=True)
class Group:
    """A group, with its variables in the order of the sources."""

    name: str
    depth: int = 0
    priority: int = 1
    parents: list[Group] = field(default_factory=list)
    children: list[Group] = field(default_factory=list)
    hosts: dict[str, Host] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)

    def ancestors(self) -> set[Group]:
        """Return all parent groups, direct and indirect."""
        found: set[Group] = set()
        waiting = list(self.parents)
        while waiting:
            group = waiting.pop()
            if group not in found:
                found.add(group)
                waiting += group.parents
        return found

    def all_hosts(self, limit: int = MAX_MEMBERS) -> tuple[dict[str, Host], int]:
        """Return the hosts of the group and of its child groups, the nearest first.

        Also return how many steps this took. After `limit` steps, the hosts are incomplete.
        """
        found: dict[str, Host] = {}
        seen = {self}
        level = [self]
        steps = 0
        while level and steps <= limit:
            for group in level:
                found |= group.hosts
                steps += len(group.hosts) + len(group.children)
            below = dict.fromkeys(child for group in level for child in group.children)
            level = [group for group in below if group not in seen]
            seen.update(level)
        return found, steps


@dataclass(eq=False, slots=True)
class Host:
    """A host, and the place where it is first named."""

    name: str
    place: Place
    file: Path
    """The source of `place`. For an answer of a program, this is the program."""
    groups: list[Group] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)


class Tree:
    """All groups and hosts. Call `add` for each document in order, then `finish` once.

    A reader of another format calls `group`, `host`, `named`, `host_vars`, `child` and `vars`.
    """

    def __init__(self, problems: Problems) -> None:
        self.all = Group("all")
        self.ungrouped = Group("ungrouped")
        self.groups = {"all": self.all, "ungrouped": self.ungrouped}
        self.hosts: dict[str, Host] = {}
        self.is_too_large = False
        """Whether a limit was reached. The tree is then incomplete, and an error says so."""
        self._problems = problems
        self._file = Path()
        self._edges: set[tuple[Group, Group]] = set()
        self._steps = self._named = self._characters = 0

    def add(self, document: Document, file: Path) -> None:
        """Add the groups and hosts of one inventory file."""
        self._file = file
        top = Place(document, ())
        if document.data is None:
            self._problems.error(top.problem("the file is empty"))
        elif not isinstance(document.data, dict):
            found = kind_of(document.data)
            self._problems.error(
                top.problem(f"expected a mapping of groups, such as all:, found {found}")
            )
        elif "plugin" in document.data:
            hint = f"run {through_ansible(file)}"
            message = "scimconf runs no inventory plugins of Ansible"
            self._problems.error(top.inside("plugin").problem(message, hint))
        else:
            for name, content in document.data.items():
                self._group(name, content, top.inside(name))

    def finish(self) -> None:
        """Complete the groups all and ungrouped, and set the depth of each group."""
        for group in self.groups.values():
            if group is not self.all and not group.parents:
                _join(self.all, group)
        for host in self.hosts.values():
            grouped = [group for group in host.groups if group.name not in ("all", "ungrouped")]
            if grouped and self.ungrouped in host.groups:
                host.groups.remove(self.ungrouped)
                del self.ungrouped.hosts[host.name]
            elif not grouped and self.ungrouped not in host.groups:
                self._put(host, self.ungrouped)
            if host.name in self.groups:
                message = f"{host.name} is the name of both a group and a host"
                self._problems.warn(host.place.problem(message))
        _measure(self.all)

    def members(self) -> dict[str, list[str]]:
        """Return the hosts of each group, including those of its child groups.

        Raises InventoryError if the groups are too many or too deep to list them.
        """
        found: dict[str, list[str]] = {}
        left = MAX_MEMBERS
        for group in self.groups.values():
            hosts, steps = group.all_hosts(left)
            left -= steps
            if left < 0:
                self._stop(
                    "the groups have too many child groups and hosts, direct and indirect "
                    f"(more than {MAX_MEMBERS})"
                )
            found[group.name] = list(hosts)
        return found

    def _stop(self, message: str, place: Place | None = None) -> NoReturn:
        self.is_too_large = True
        raise InventoryError([place.problem(message) if place else Problem(message)])

    # --- add single items ---------------------------------------------------------------------

    def group(self, name: str) -> Group:
        """Return the group with this name; create it if needed."""
        return self.groups.setdefault(name, Group(name))

    def vars(self, group: Group, values: dict[str, object], place: Place) -> None:
        """Add variables to a group."""
        group.layers.append(Layer(place, values))
        self._priority(group, values, place)

    def child(self, group: Group, child: Group, place: Place) -> None:
        """Make a group the child of another."""
        if (group, child) in self._edges:
            return
        above = group.ancestors()
        self._steps += sum(len(each.parents) for each in above) + 1
        if self._steps > MAX_MEMBERS:
            self._stop("the groups have too many parents, direct and indirect", place)
        if child is self.all or child is group or child in above:
            message = f"{child.name} cannot be a child of {group.name}, because it is its parent"
            self._problems.error(place.problem(message))
        else:
            self._edges.add((group, child))
            _join(group, child)

    def host(self, group: Group, name: object, place: Place, file: Path) -> Host | None:
        """Add a host to a group. Return None if the name is not valid."""
        if not isinstance(name, str):
            message = f"a host name must be text, but YAML reads {kind_of(name)} here"
            self._problems.error(place.problem(message, "quote it"))
        elif not name or _BAD_NAME.search(name):
            self._problems.error(place.problem("this is not a valid host name"))
        elif name not in self.hosts and len(self.hosts) >= MAX_HOSTS:
            self._stop(f"the inventory has more than {MAX_HOSTS} hosts", place)
        else:
            host = self.hosts.setdefault(name, Host(name, place, file))
            self._put(host, group)
            return host
        return None

    def named(
        self,
        group: Group,
        name: object,
        values: dict[str, object] | None,
        place: Place,
        file: Path,
    ) -> None:
        """Add the hosts of a name, which may have ranges and a port, with the same variables."""
        pattern, port = ranges.split_port(name) if isinstance(name, str) else (name, None)
        try:
            names = ranges.expand(pattern) if isinstance(pattern, str) else [pattern]
        except ValueError as error:
            self._problems.error(place.problem(str(error)))
            return
        self._named += len(names)
        self._characters += sum(len(each) for each in names if isinstance(each, str))
        if self._named > MAX_NAMED or self._characters > MAX_NAMES:
            message = f"{MAX_NAMED} times, or with more than {MAX_NAMES} characters in all names"
            self._stop(f"the inventory names hosts more than {message}", place)
        for each in names:
            known = each in self.hosts
            host = self.host(group, each, place, file)
            if host is None:
                return
            if port and not known:
                # A port after the name counts only where the host is first named.
                host.layers.append(Layer(place, {"ansible_port": port}))
            if values:
                self.host_vars(host, values, place)

    def host_vars(self, host: Host, values: dict[str, object], place: Place) -> None:
        """Add variables to a host. As in Ansible, a group with the same name gets them instead."""
        namesake = self.groups.get(host.name)
        if namesake:
            self.vars(namesake, values, place)
        else:
            host.layers.append(Layer(place, values))

    # --- read a document ----------------------------------------------------------------------

    def _group(self, name: object, content: object, place: Place) -> Group | None:
        if not isinstance(name, str) or not name:
            message = f"a group name must be text, but YAML reads {kind_of(name)} here"
            self._problems.error(place.problem(message, "quote it"))
            return None
        group = self.group(name)
        if content is None:
            return group
        if not isinstance(content, dict):
            message = f"expected a group with {', '.join(_SECTIONS)}, found {kind_of(content)}"
            self._problems.error(place.problem(message))
            return group
        for section, values in content.items():
            at = place.inside(section)
            if section not in _SECTIONS:
                self._unknown(section, at)
            else:
                self._section(group, str(section), values, at)
        return group

    def _unknown(self, section: object, place: Place) -> None:
        """Report a key of a group that has no meaning. Ansible ignores it, and what is below it."""
        if hint := nearest(section, _SECTIONS):
            message = "unknown key: a group has only hosts, children and vars"
            self._problems.error(place.problem(message, hint))
        else:
            message = "this key is ignored: a group has only hosts, children and vars"
            self._problems.warn(place.problem(message))

    def _section(self, group: Group, section: str, values: object, place: Place) -> None:
        if isinstance(values, str) and section != "vars":
            values = {values: None}
        if values is None:
            return
        if not isinstance(values, dict):
            self._problems.error(place.problem(f"expected a mapping, found {kind_of(values)}"))
        elif section == "vars":
            self.vars(group, values, place)
        elif section == "children":
            for name, content in values.items():
                child = self._group(name, content, place.inside(name))
                if child is not None:
                    self.child(group, child, place.inside(name))
        else:
            for name, content in values.items():
                self._hosts(group, name, content, place.inside(name))

    def _priority(self, group: Group, values: dict[str, object], place: Place) -> None:
        if "ansible_group_priority" not in values:
            return
        try:
            group.priority = int(str(values["ansible_group_priority"]))
        except ValueError:
            at = place.inside("ansible_group_priority")
            self._problems.error(at.problem("expected a number"))

    def _hosts(self, group: Group, name: object, content: object, place: Place) -> None:
        if content is not None and not isinstance(content, dict):
            message = f"expected a mapping of variables, found {kind_of(content)}"
            self._problems.error(place.problem(message))
            content = None
        self.named(group, name, content, place, self._file)

    def _put(self, host: Host, group: Group) -> None:
        if host.name not in group.hosts:
            group.hosts[host.name] = host
            host.groups.append(group)


def through_ansible(file: Path) -> str:
    """Return the command line that lets Ansible read an inventory for scimconf."""
    return f"ansible-inventory -i {shlex.quote(str(file))} --list | scimconf plan -i -"


def _join(parent: Group, child: Group) -> None:
    parent.children.append(child)
    child.parents.append(parent)


def _measure(top: Group) -> None:
    """Set the depth of each group: the length of the longest path from all."""
    waiting = {group: len(group.parents) for group in _below(top)}
    ready = [top]
    while ready:
        group = ready.pop()
        for child in group.children:
            child.depth = max(child.depth, group.depth + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)


def _below(top: Group) -> dict[Group, None]:
    found: dict[Group, None] = {}
    waiting = [top]
    while waiting:
        for child in waiting.pop().children:
            if child not in found:
                found[child] = None
                waiting.append(child)
    return found

"""Read the JSON of dynamic inventories and of `ansible-inventory --list`.

The rules are those of ansible's plugins/inventory/script.py. Host names are used as they are: they
have no ranges and no ports.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scimconf.inventory.hosts import Group, Host, Tree
from scimconf.inventory.place import Place, Problems, kind_of
from scimconf.yamlfile import Document

AskHost = Callable[[str], Document | None]
"""Return the answer of a program about one host, or None if it is empty."""


def is_listing(document: Document) -> bool:
    """Return True for the JSON of `--list`, and False for an inventory in YAML shape.

    In the YAML shape, `hosts` and `children` are mappings; in a listing they are lists.
    """
    data = document.data
    if not document.is_json or not isinstance(data, dict):
        return False
    return "_meta" in data or any(
        isinstance(content, list)
        or (
            isinstance(content, dict)
            and (
                isinstance(content.get("hosts"), list) or isinstance(content.get("children"), list)
            )
        )
        for content in data.values()
    )


class Listing:
    """Add the answer to `--list` to a tree."""

    def __init__(self, tree: Tree, problems: Problems, file: Path) -> None:
        self._tree = tree
        self._problems = problems
        self.file = file
        self._named: dict[str, Host] = {}

    def add(self, document: Document, ask: AskHost | None = None) -> None:
        """Add a document. `ask` is called for each host if there is no `_meta.hostvars`."""
        top = Place(document, ())
        if not isinstance(document.data, dict):
            self._expected(top, "a mapping of groups", document.data)
            return
        for name, content in document.data.items():
            if name != "_meta":
                self._group(str(name), content, top.inside(name))
        if "_meta" in document.data:
            self._hostvars(document.data["_meta"], top.inside("_meta"))
        elif ask:
            for name, host in self._named.items():
                answer = ask(name)
                if answer is not None:
                    self._variables(host, answer.data, Place(answer, ()))

    def _group(self, name: str, content: object, place: Place) -> None:
        group = self._tree.group(name)
        if not isinstance(content, dict):
            self._hosts(group, content, place)
        elif not {"hosts", "children", "vars"} & content.keys():
            # The old form: a host with the name of the group, and its variables.
            self._hosts(group, [name], place)
            self._tree.vars(group, content, place)
        else:
            if "hosts" in content:
                self._hosts(group, content["hosts"], place.inside("hosts"))
            if "vars" in content:
                self._vars(group, content["vars"], place.inside("vars"))
            if "children" in content:
                self._children(group, content["children"], place.inside("children"))

    def _hosts(self, group: Group, names: object, place: Place) -> None:
        if not isinstance(names, list):
            self._expected(place, "a list of hosts", names)
            return
        for index, name in enumerate(names):
            host = self._tree.host(group, name, place.inside(index), self.file)
            if host is not None:
                self._named[host.name] = host

    def _vars(self, group: Group, values: object, place: Place) -> None:
        if isinstance(values, dict):
            self._tree.vars(group, values, place)
        else:
            self._expected(place, "a mapping of variables", values)

    def _children(self, group: Group, names: object, place: Place) -> None:
        if not isinstance(names, list):
            self._expected(place, "a list of groups", names)
            return
        for index, name in enumerate(names):
            at = place.inside(index)
            if isinstance(name, str) and name:
                self._tree.child(group, self._tree.group(name), at)
            else:
                self._expected(at, "a group name", name)

    def _hostvars(self, meta: object, place: Place) -> None:
        hostvars = meta.get("hostvars") if isinstance(meta, dict) else None
        if not isinstance(hostvars, dict):
            self._expected(place, "hostvars, a mapping of hosts", hostvars)
            return
        for name, host in self._named.items():
            if name in hostvars:
                self._variables(host, hostvars[name], place.inside("hostvars", name))

    def _variables(self, host: Host, values: object, place: Place) -> None:
        if isinstance(values, dict):
            self._tree.host_vars(host, values, place)
        else:
            self._expected(place, "a mapping of variables", values)

    def _expected(self, place: Place, what: str, found: object) -> None:
        self._problems.error(place.problem(f"expected {what}, found {kind_of(found)}"))

"""All sources together: groups, hosts, and each host's variables as they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.inventory import sources
from scimconf.inventory.hosts import Host, Tree
from scimconf.inventory.place import Layer, Problems
from scimconf.inventory.precedence import HostVariables, Precedence
from scimconf.template import Variables


@dataclass(frozen=True, slots=True)
class Layout:
    """What the sources say, before anything of it is checked or expanded."""

    tree: Tree
    written: Mapping[str, HostVariables]
    """Of each host."""
    groups: Mapping[str, list[str]]
    """Each group with all of its hosts, those of the groups below it included."""
    folders: Sequence[Path]
    """Where the sources are."""
    vars_files: Sequence[Layer]
    """The files under group_vars and host_vars that a host made us read."""

    def layers(self) -> Iterator[Layer]:
        """Give everything that sets variables."""
        for group in self.tree.groups.values():
            yield from group.layers
        for host in self.tree.hosts.values():
            yield from host.layers
        yield from self.vars_files

    def variables(self, name: str) -> Variables:
        """Give the variables of a host, to be expanded where they are used."""
        return Variables(self.written[name].values, self._facts(self.tree.hosts[name]))

    def _facts(self, host: Host) -> dict[str, object]:
        """Give the variables that Ansible sets by itself (its "special variables")."""
        file = Path(host.place.document.file).absolute()
        above = (group.name for group in self.written[host.name].groups)
        return {
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name.split(".")[0],
            "inventory_file": str(file),
            "inventory_dir": str(file.parent),
            "groups": self.groups,
            "group_names": sorted(name for name in above if name != "all"),
        }


def read(paths: Sequence[Path], problems: Problems) -> Layout:
    """Read the sources in order; what is wrong with them goes to `problems`."""
    found = []
    tree = Tree(problems)
    for path in paths:
        with problems.gathered():
            found.append(sources.find(path))
    for source in found:
        for file in source.files:
            with problems.gathered():
                tree.add(sources.read(file))
    tree.finish()
    folders = [source.folder for source in found]
    precedence = Precedence(folders, problems)
    return Layout(
        tree=tree,
        written={host.name: precedence.of(host) for host in tree.hosts.values()},
        groups={name: list(group.all_hosts()) for name, group in tree.groups.items()},
        folders=folders,
        vars_files=list(precedence.layers()),
    )

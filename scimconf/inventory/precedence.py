"""Merge the variables of a host in Ansible's order of precedence.

The rules are those of ansible's vars/manager.py and plugins/vars/host_group_vars.py. From weak to
strong: inline vars of all; inline vars of the other groups by depth, ansible_group_priority and
name; group_vars/all; group_vars of the other groups in the same order (one source after the other);
the host's inline vars; its host_vars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import InventoryError
from scimconf.inventory import encrypted, sources
from scimconf.inventory.encrypted import ClosedFileError, Vault
from scimconf.inventory.hosts import Group, Host
from scimconf.inventory.links import Links
from scimconf.inventory.place import Layer, Place, Problems, kind_of
from scimconf.model import Problem
from scimconf.yamlfile import Document, read_text


@dataclass(frozen=True, slots=True)
class HostVariables:
    """The variables of one host before expansion, and their origins."""

    values: Mapping[str, object]
    layers: Sequence[Layer]
    groups: tuple[Group, ...]
    """All groups of the host, including parents, the weakest first."""
    place: Place

    def origin(self, name: str) -> Place:
        """Return the place that sets a variable, or the place of the host if none does."""
        for layer in reversed(self.layers):
            if name in layer.values:
                return layer.place.inside(name)
        return self.place

    @property
    def closed(self) -> list[Layer]:
        """The files with variables of this host that are encrypted and could not be read."""
        return [layer for layer in self.layers if layer.closed]


class Precedence:
    """Merges variables. Hosts with the same groups share the merged group variables."""

    def __init__(
        self,
        folders: Iterable[Path],
        problems: Problems,
        links: Links,
        vault: Vault,
        extra: Sequence[Layer],
    ) -> None:
        """`extra` are the variables of the command line, the strongest of all."""
        # A folder that is given twice has the precedence of its last position.
        last = reversed(list(dict.fromkeys(reversed(list(folders)))))
        self._folders = [sources.VarsFolder(folder, links) for folder in last]
        self._problems = problems
        self._vault = vault
        self._extra = extra
        self._values: dict[int, Mapping[str, object]] = {}
        self._files: dict[Path, Layer | None] = {}
        self._shared: dict[
            frozenset[Group], tuple[tuple[Group, ...], list[Layer], dict[str, object]]
        ]
        self._shared = {}

    def of(self, host: Host) -> HostVariables:
        """Return the variables of one host."""
        groups, layers, values = self._of_groups(frozenset(host.groups))
        own = [*host.layers, *self._from_files("host_vars", [host.name]), *self._extra]
        if own:
            values = dict(values)
            for layer in own:
                values.update(self._values_of(layer))
        return HostVariables(values, [*layers, *own], groups, host.place)

    def layers(self) -> Iterable[Layer]:
        """Return the layers of the files in group_vars and host_vars that were read so far."""
        return [layer for layer in self._files.values() if layer is not None]

    def _of_groups(
        self, direct: frozenset[Group]
    ) -> tuple[tuple[Group, ...], list[Layer], dict[str, object]]:
        if direct not in self._shared:
            known = {above for group in direct for above in (group, *group.ancestors())}
            groups = sorted(known, key=lambda group: (group.depth, group.priority, group.name))
            others = [group.name for group in groups if group.name != "all"]
            layers = [layer for group in groups for layer in group.layers]
            layers += self._from_files("group_vars", ["all"])
            layers += self._from_files("group_vars", others)
            values: dict[str, object] = {}
            for layer in layers:
                values.update(self._values_of(layer))
            self._shared[direct] = tuple(groups), layers, values
        return self._shared[direct]

    def _values_of(self, layer: Layer) -> Mapping[str, object]:
        if id(layer) not in self._values:
            self._values[id(layer)] = encrypted.values_of(layer)
        return self._values[id(layer)]

    def _from_files(self, kind: str, names: Sequence[str]) -> list[Layer]:
        layers = []
        for folder in self._folders:
            for name in names:
                paths: Sequence[Path] = ()
                with self._problems.gathered():
                    paths = folder.files(kind, name)
                for path in paths:
                    if path not in self._files:
                        self._files[path] = self._read(path, folder)
                    if layer := self._files[path]:
                        layers.append(layer)
        return layers

    def _read(self, path: Path, folder: sources.VarsFolder) -> Layer | None:
        with self._problems.gathered():
            folder.check(path)
            if path.exists() and not path.is_file():  # reading a pipe would block
                raise InventoryError([Problem(f"{path} is not a regular file")])
            try:
                document = sources.document(str(path), read_text(path), self._vault)
            except ClosedFileError as error:
                at = Place(Document(str(path), "", {}, {}), ())
                return Layer(at, {}, error.problem("its variables are not known"), error.wrong)
            place = Place(document, ())
            if isinstance(document.data, dict):
                return Layer(place, document.data)
            if document.data is not None:
                message = f"expected a mapping of variables, found {kind_of(document.data)}"
                self._problems.error(place.problem(message))
        return None

"""All sources together: groups, hosts, and each host's variables as they were written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import InventoryError
from scimconf.inventory import programs, sources
from scimconf.inventory.dynamic import Listing, is_listing
from scimconf.inventory.hosts import Host, Tree
from scimconf.inventory.links import Links
from scimconf.inventory.place import Layer, Problems
from scimconf.inventory.precedence import HostVariables, Precedence
from scimconf.inventory.programs import Program
from scimconf.template import Variables
from scimconf.yamlfile import Document, parse_json


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
        file = host.file.absolute()
        above = (group.name for group in self.written[host.name].groups)
        return {
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name.split(".")[0],
            "inventory_file": str(file),
            "inventory_dir": str(file.parent),
            "groups": self.groups,
            "group_names": sorted(name for name in above if name != "all"),
        }


def read(paths: Sequence[Path], problems: Problems, *, allow_exec: bool = False) -> Layout:
    """Read the sources in order; what is wrong with them goes to `problems`."""
    links = Links.beside(map(sources.folder_of, paths), trusted=allow_exec)
    found = []
    for path in paths:
        with problems.gathered():
            found.append(sources.find(path, links))
    folders = [source.folder for source in found]
    files = [file for source in found for file in source.files]
    tree = _tree(files, folders, problems, allow_exec)
    precedence = Precedence(folders, problems, links)
    return Layout(
        tree=tree,
        written={host.name: precedence.of(host) for host in tree.hosts.values()},
        groups={name: list(group.all_hosts()) for name, group in tree.groups.items()},
        folders=folders,
        vars_files=list(precedence.layers()),
    )


def _tree(
    files: Sequence[Path], folders: Sequence[Path], problems: Problems, allow_exec: bool
) -> Tree:
    asked = {file for file in files if programs.is_program(file)}
    written = (file for file in dict.fromkeys(files) if file not in asked)
    documents = {file: _document(file) for file in written}
    hidden: frozenset[str] = frozenset()
    if asked and allow_exec:
        # All other files are read before the first program starts, for this.
        said = (each.text for each in documents.values() if isinstance(each, Document))
        hidden = programs.token_names([*said, *sources.vars_texts(folders)])
    tree = Tree(problems)
    for file in files:
        with problems.gathered():
            if file not in asked:
                _add(tree, documents[file], Listing(tree, problems, file))
            elif allow_exec:
                program = Program(file, hidden, time.monotonic() + programs.TIMEOUT)
                _ask(program, Listing(tree, problems, file))
            else:
                raise programs.refusal(file)
    tree.finish()
    return tree


def _document(file: Path) -> Document | InventoryError:
    try:
        return sources.read(file)
    except InventoryError as error:
        return error


def _add(tree: Tree, document: Document | InventoryError, listing: Listing) -> None:
    if isinstance(document, InventoryError):
        raise document
    if is_listing(document):
        listing.add(document)
    else:
        tree.add(document, listing.file)


def _ask(program: Program, listing: Listing) -> None:
    def host(name: str) -> Document | None:
        text = program.answer("--host", name)
        return parse_json(text, f"{program.path} --host {name}") if text.strip() else None

    listing.add(parse_json(program.answer("--list"), f"{program.path} --list"), host)

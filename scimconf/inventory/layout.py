"""Read all sources: groups, hosts, and the variables of each host before expansion."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import programs, sources
from scimconf.inventory.dynamic import Listing, is_listing
from scimconf.inventory.encrypted import Vault
from scimconf.inventory.hosts import Host, Tree
from scimconf.inventory.ini import Ini, IniDocument
from scimconf.inventory.links import Links
from scimconf.inventory.place import Layer, Problems
from scimconf.inventory.precedence import HostVariables, Precedence
from scimconf.inventory.programs import Program
from scimconf.model import Problem
from scimconf.template import Variables
from scimconf.yamlfile import Document, parse_json

MAX_LOOKUPS = 200_000
"""How often the templates of one run may read `hostvars`."""
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Layout:
    """The content of the sources, not yet checked or expanded."""

    tree: Tree
    written: Mapping[str, HostVariables]
    """The variables of each host."""
    groups: Mapping[str, list[str]]
    """The hosts of each group, including those of its child groups."""
    folders: Sequence[Path]
    """The folders of the sources."""
    vars_files: Sequence[Layer]
    """The files that were read from group_vars and host_vars."""
    vault: Vault
    extra: Sequence[Layer] = ()
    """The variables of the command line."""
    _known: dict[str, Variables] = field(default_factory=dict)
    _lookups: Counter[str] = field(default_factory=Counter)

    def layers(self) -> Iterator[Layer]:
        """Yield every layer of variables."""
        for group in self.tree.groups.values():
            yield from group.layers
        for host in self.tree.hosts.values():
            yield from host.layers
        yield from self.vars_files
        yield from self.extra

    def variables(self, name: str) -> Variables:
        """Return the variables of a host, which are expanded on use."""
        if name not in self._known:
            facts = self._facts(self.tree.hosts[name])
            written = self.written[name].values
            self._known[name] = Variables(written, facts, self.vault.open, self._of_host)
        return self._known[name]

    def forget(self, name: str) -> None:
        """Free the expanded variables of a host. They are expanded again if they are needed."""
        self._known.pop(name, None)

    def _of_host(self, name: str) -> Variables | None:
        self._lookups["hostvars"] += 1
        if self._lookups["hostvars"] > MAX_LOOKUPS:
            raise UsageError(
                f"the templates of this inventory read hostvars more than {MAX_LOOKUPS} times",
                "write the value itself, or use a variable of a group",
            )
        return self.variables(name) if name in self.written else None

    def _facts(self, host: Host) -> dict[str, object]:
        """Return the "special variables" that Ansible itself sets."""
        file = host.file.absolute()
        # As in ansible's inventory/host.py, an address has no short form.
        short = host.name if _ADDRESS.fullmatch(host.name) else host.name.split(".")[0]
        above = (group.name for group in self.written[host.name].groups)
        return {
            "inventory_hostname": host.name,
            "inventory_hostname_short": short,
            "inventory_file": str(file),
            "inventory_dir": str(file.parent),
            "groups": self.groups,
            "group_names": sorted(name for name in above if name != "all"),
        }


def read(
    paths: Sequence[Path],
    problems: Problems,
    *,
    allow_exec: bool = False,
    vault: Vault | None = None,
    extra: Sequence[Layer] = (),
) -> Layout:
    """Read the sources in order, and add errors and warnings to `problems`.

    `vault` opens what is encrypted. `extra` are the variables of the command line. Raises
    InventoryError if the inventory is too large.
    """
    _check_current_folder()
    vault = vault or Vault()
    links = Links.beside(map(sources.folder_of, paths), trusted=allow_exec)
    found = []
    for path in paths:
        with problems.gathered():
            found.append(sources.find(path, links))
    folders = [source.folder for source in found]
    files = [file for source in found for file in source.files]
    tree = _tree(files, folders, problems, vault, allow_exec)
    groups: dict[str, list[str]] = {}
    with problems.gathered():
        groups = {} if tree.is_too_large else tree.members()
    if tree.is_too_large:
        raise InventoryError(list(problems.errors))
    precedence = Precedence(folders, problems, links, vault, extra)
    return Layout(
        tree=tree,
        written={host.name: precedence.of(host) for host in tree.hosts.values()},
        groups=groups,
        folders=folders,
        vars_files=list(precedence.layers()),
        vault=vault,
        extra=extra,
    )


def _check_current_folder() -> None:
    """Raise InventoryError if the current folder was deleted: no path can be compared then."""
    try:
        Path.cwd()
    except OSError as error:
        message = f"cannot use the current folder: {error.strerror}"
        raise InventoryError([Problem(message, hint="change to another folder")]) from None


def _tree(
    files: Sequence[Path],
    folders: Sequence[Path],
    problems: Problems,
    vault: Vault,
    allow_exec: bool,
) -> Tree:
    executable = {file for file in files if programs.is_program(file)}
    readable = (file for file in dict.fromkeys(files) if file not in executable)
    documents = {file: _document(file, vault) for file in readable}
    hidden: frozenset[str] = frozenset()
    if executable and allow_exec:
        # Before a program starts, all other files must be read for the names of token variables.
        texts = (each.text for each in documents.values() if isinstance(each, Document))
        hidden = programs.token_names([*texts, *sources.vars_texts(folders, vault)])
    tree = Tree(problems)
    for file in files:
        with problems.gathered():
            if file not in executable:
                _add(tree, documents[file], problems, Listing(tree, problems, file))
            elif allow_exec:
                program = Program(file, hidden, time.monotonic() + programs.TIMEOUT)
                _run(program, Listing(tree, problems, file))
            else:
                raise programs.refusal(file)
    tree.finish()
    return tree


def _document(file: Path, vault: Vault) -> Document | InventoryError:
    try:
        return sources.read(file, vault)
    except InventoryError as error:
        return error


def _add(
    tree: Tree, document: Document | InventoryError, problems: Problems, listing: Listing
) -> None:
    if isinstance(document, InventoryError):
        raise document
    if is_listing(document):
        listing.add(document)
    elif isinstance(document, IniDocument):
        Ini(tree, problems, listing.file).add(document)
    else:
        tree.add(document, listing.file)


def _run(program: Program, listing: Listing) -> None:
    def host(name: str) -> Document | None:
        text = program.answer("--host", name)
        return parse_json(text, f"{program.path} --host {name}") if text.strip() else None

    listing.add(parse_json(program.answer("--list"), f"{program.path} --list"), host)

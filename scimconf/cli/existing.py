"""Find an Ansible inventory that exists before `scimconf init`, and add SCIM variables to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import Inventory, Passwords, discovery, host_vars, load
from scimconf.inventory.patterns import matching
from scimconf.yamlfile import parse, read_text
from scimconf.zulip.presets import PRESETS


@dataclass(frozen=True, slots=True)
class Existing:
    """An inventory in which some hosts have no scim_realms."""

    sources: tuple[Path, ...]
    inventory: Inventory
    passwords: Passwords
    """Gets the vault passwords if a file or a value of the inventory is encrypted."""

    @property
    def source(self) -> Path:
        """The source with the highest precedence: variables are written beside it."""
        return self.sources[-1]

    @property
    def likely(self) -> str:
        """The group that probably holds the Zulip servers."""
        return "zulip" if "zulip" in self.inventory.groups else "all"

    def additions(
        self, patterns: Sequence[str], variables: Mapping[str, object]
    ) -> dict[Path, str]:
        """Return the files to write, with their text: for one group, or for each host.

        Raises UsageError if the patterns match no host without scim_realms.
        """
        inventory = self.inventory
        named = matching(patterns, (), inventory.groups, inventory.hosts)
        new = [name for name in named if name not in inventory.servers]
        if not new:
            raise UsageError(f"all hosts of {' '.join(patterns)} already have scim_realms")
        if len(patterns) == 1 and patterns[0] in inventory.groups and new == named:
            paths = [host_vars.place(self.source, patterns[0], "group_vars")]
        else:
            paths = [host_vars.place(self.source, name) for name in new]
        comment = "From scimconf init. All variables: scimconf help inventory"
        return {path: host_vars.added(path, variables, comment) for path in paths}

    def write(self, additions: Mapping[Path, str]) -> None:
        """Write the files, and read the inventory back. If it is invalid, restore all files.

        Raises InventoryError with the problems.
        """
        with host_vars.written(additions):
            load(self.sources, passwords=self.passwords)


_HOSTS = ("all", "children", "zulip", "hosts")
"""The place of the servers in an inventory that init wrote."""


def with_new_hosts(text: str, file: str, hosts: Sequence[str]) -> str | None:
    """Return an inventory of init with these hosts added; None if it has another form.

    Each host goes below the last one, so the order of the others stays.
    """
    document = parse(text, file)
    known: object = document.data
    for step in _HOSTS:
        known = known.get(step) if isinstance(known, dict) else None
    if not isinstance(known, dict) or not known:
        return None
    path = (*_HOSTS, list(known)[-1])
    column = document.position(path).column
    lines = text.splitlines(keepends=True)
    last = document.line_span(path)[1]
    if lines[last - 1].strip("\r\n") == lines[last - 1]:
        lines[last - 1] += "\n"
    lines[last:last] = [f"{' ' * (column - 1)}{scalar(host)}:\n" for host in hosts]
    longer = "".join(lines)
    wanted = {**known, **dict.fromkeys(hosts)}
    try:
        now: object = parse(longer, file).data
    except InventoryError:
        return None
    for step in _HOSTS:
        now = now.get(step) if isinstance(now, dict) else None
    return longer if now == wanted else None


def grow(folder: Path, hosts: Sequence[str], passwords: Passwords) -> list[Path]:
    """Add new hosts to the inventory that init wrote into this folder; return what was written.

    Return nothing if there is no such inventory, or if it has one of the hosts already. Raises
    InventoryError if the result would be invalid; the file is then unchanged.
    """
    source = folder / "inventory.yaml"
    try:
        there = discovery.in_folder(folder)
    except UsageError:  # `find` raises the same error later
        return []
    if not hosts or there != (source,) or not source.is_file():
        return []
    loaded = load([source], passwords=passwords)
    known = {*loaded.hosts, *loaded.groups}
    if known & set(hosts) or set(loaded.hosts) - set(loaded.servers):
        return []
    longer = with_new_hosts(read_text(source), str(source), list(dict.fromkeys(hosts)))
    if longer is None:
        return []
    with host_vars.written({source: longer}):
        if not set(hosts) <= load([source], passwords=passwords).servers.keys():
            raise UsageError(
                f"{source} was not changed: its group zulip has no scim_realms, which the new "
                "servers would need",
                "add the servers and their scim_realms by hand",
            )
    return [source]


def scalar(text: str) -> str:
    """Return a text as a YAML scalar. Omit the quotes only if every parser reads it as text."""
    bare = text.replace(".", "").replace("-", "").replace("_", "")
    if bare.isascii() and bare.isalnum() and text[0].isalpha() and ("." in text or text in _PLAIN):
        return text
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'


_PLAIN = {"zulip", "root", *PRESETS}
"""Words without a dot that need no quotes. Others do: YAML reads `no` as a boolean."""


def find(folder: Path, passwords: Passwords) -> Existing | None:
    """Return the inventory of this folder; None if there is none.

    Raises UsageError if all of its hosts have scim_realms, and InventoryError if it is invalid.
    """
    try:
        there = discovery.in_folder(folder)
    except UsageError as error:  # its hint names -i, which init does not have
        hint = "init extends one inventory: name its folder (scimconf init FOLDER)"
        raise UsageError(error.message, hint) from None
    if not there:
        return None
    loaded = load(there, passwords=passwords)
    if set(loaded.hosts) <= set(loaded.servers):
        raise UsageError(
            f"{there[-1]} already exists, and all of its hosts have scim_realms",
            "add the server to it by hand, or choose another folder",
        )
    return Existing(there, loaded, passwords)

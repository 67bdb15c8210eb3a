"""Find an Ansible inventory that exists before `scimconf init`, and add SCIM variables to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.inventory import Inventory, discovery, host_vars, load
from scimconf.inventory.patterns import matching


@dataclass(frozen=True, slots=True)
class Existing:
    """An inventory in which some hosts have no scim_realms."""

    sources: tuple[Path, ...]
    inventory: Inventory

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
        comment = "From scimconf init; all variables: docs/inventory.md of scimconf."
        return {path: host_vars.added(path, variables, comment) for path in paths}

    def write(self, additions: Mapping[Path, str]) -> None:
        """Write the files, and read the inventory back. If it is invalid, restore all files.

        Raises InventoryError with the problems.
        """
        with host_vars.written(additions):
            load(self.sources)


def find(folder: Path) -> Existing | None:
    """Return the inventory of this folder; None if there is none.

    Raises UsageError if all of its hosts have scim_realms, and InventoryError if it is invalid.
    """
    try:
        there = discovery.in_folder(folder)
    except UsageError as error:  # its hint is an option that init does not have
        hint = "init extends one inventory: name its folder (scimconf init FOLDER)"
        raise UsageError(error.message, hint) from None
    if not there:
        return None
    loaded = load(there)
    if set(loaded.hosts) <= set(loaded.servers):
        raise UsageError(
            f"{there[-1]} already exists, and all of its hosts have scim_realms",
            "edit it, or choose another folder",
        )
    return Existing(there, loaded)

"""Find an Ansible inventory that exists before `scimconf init`, and add SCIM variables to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.cli.streams import err
from scimconf.errors import UsageError
from scimconf.inventory import Inventory, ansible_cfg, host_vars, load
from scimconf.inventory.patterns import matching

_NAMES = ("inventory.yaml", "inventory.yml", "inventory", "hosts.yaml", "hosts.yml", "hosts")
"""Usual names. The first one that exists is used."""


@dataclass(frozen=True, slots=True)
class Existing:
    """An inventory in which some hosts have no scim_realms."""

    source: Path
    inventory: Inventory

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
            load([self.source])


def find(folder: Path) -> Existing | None:
    """Return the inventory of this folder; None if there is none.

    Raises UsageError if all of its hosts have scim_realms, and InventoryError if it is invalid.
    """
    there = [folder / name for name in _NAMES if os.path.exists(folder / name)]
    _name_the_configured(folder, there)
    if not there:
        return None
    loaded = load(there[:1])
    if set(loaded.hosts) <= set(loaded.servers):
        raise UsageError(
            f"{there[0]} already exists, and all of its hosts have scim_realms",
            "edit it, or choose another folder",
        )
    return Existing(there[0], loaded)


def _name_the_configured(folder: Path, there: Sequence[Path]) -> None:
    """Print a note if ansible.cfg names another inventory, which init does not read."""
    named = ansible_cfg.inventory(folder)
    used = [path.resolve() for path in there[:1]]
    if named and (folder / named).resolve() not in used:
        err(
            f"note: {folder / 'ansible.cfg'} names the inventory {named}, which init does not "
            "read; to use it, run scimconf init with the folder that contains it"
        )

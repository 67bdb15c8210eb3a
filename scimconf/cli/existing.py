"""An Ansible inventory that was there before `scimconf init`: how it is found and added to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scimconf.cli.streams import err
from scimconf.errors import InventoryError, UsageError

if TYPE_CHECKING:
    from scimconf.inventory import Inventory

_NAMES = ("inventory.yaml", "inventory.yml", "inventory", "hosts.yaml", "hosts.yml", "hosts")
"""What people call them: the first that is there."""


@dataclass(frozen=True, slots=True)
class Existing:
    """An inventory with hosts that have no scim_realms yet."""

    source: Path
    inventory: Inventory

    @property
    def likely(self) -> str:
        """The group that probably means the Zulip servers."""
        return "zulip" if "zulip" in self.inventory.groups else "all"

    def additions(
        self, patterns: Sequence[str], variables: Mapping[str, object]
    ) -> dict[Path, str]:
        """Give the files to write, with their texts: variables of one group, or of each host.

        Raises UsageError for a pattern that names no host, or only such as have scim_realms.
        """
        from scimconf.inventory import host_vars
        from scimconf.inventory.patterns import matching

        inventory = self.inventory
        named = matching(patterns, (), inventory.groups, inventory.hosts)
        new = [name for name in named if name not in inventory.servers]
        if not new:
            raise UsageError(f"all hosts of {' '.join(patterns)} have scim_realms already")
        if len(patterns) == 1 and patterns[0] in inventory.groups and new == named:
            paths = [host_vars.place(self.source, patterns[0], "group_vars")]
        else:
            paths = [host_vars.place(self.source, name) for name in new]
        comment = "From scimconf init; all variables: docs/inventory.md of scimconf."
        return {path: host_vars.added(path, variables, comment) for path in paths}

    def write(self, additions: Mapping[Path, str]) -> None:
        """Write them, if the inventory is a good one with them; else leave all as it was.

        Raises InventoryError, with what is wrong.
        """
        from scimconf import inventory
        from scimconf.inventory import host_vars

        before = {path: path.read_bytes() if path.exists() else None for path in additions}
        try:
            for path, text in additions.items():
                host_vars.write(path, text)
            inventory.load([self.source])
        except (InventoryError, UsageError):
            for path, data in before.items():
                _put_back(path, data)
            raise


def find(folder: Path) -> Existing | None:
    """Give the inventory in this folder, if there is one.

    Raises UsageError where nothing of it is left to do, and InventoryError where it is not usable.
    """
    from scimconf import inventory

    there = [folder / name for name in _NAMES if os.path.exists(folder / name)]
    _name_the_configured(folder, there)
    if not there:
        return None
    loaded = inventory.load(there[:1])
    if set(loaded.hosts) <= set(loaded.servers):
        raise UsageError(
            f"{there[0]} is already there, and no host of it is without scim_realms",
            "edit it, or choose another folder",
        )
    return Existing(there[0], loaded)


def _name_the_configured(folder: Path, there: Sequence[Path]) -> None:
    """Say that ansible.cfg names another inventory: nothing of it is read."""
    from scimconf.inventory import ansible_cfg

    named = ansible_cfg.inventory(folder)
    if named and (folder / named).resolve() not in [path.resolve() for path in there[:1]]:
        err(
            f"note: {folder / 'ansible.cfg'} names the inventory {named}, which is not looked at; "
            "if it is meant: scimconf init FOLDER, with the folder that it is in"
        )


def _put_back(path: Path, data: bytes | None) -> None:
    with suppress(OSError):
        if data is not None:
            path.write_bytes(data)
        else:
            path.unlink(missing_ok=True)
            path.parent.rmdir()  # as long as it is empty

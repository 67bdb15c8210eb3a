"""Where a link in an inventory may lead: to the variables of the same inventory, and nowhere else.

Whoever can have an inventory planned (a merge request) could make a link to any file of the machine
that plans, and what it holds would be read as variables. Git is not asked what belongs to the
inventory: a `.git` that came along can run programs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scimconf import consent
from scimconf.errors import InventoryError
from scimconf.model import Position, Problem

KINDS = ("group_vars", "host_vars")
_STREAMS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""What a shell passes for `<(command)`: links of the system's, to what the caller opened."""


@dataclass(frozen=True, slots=True)
class Links:
    """The rule for links, for the sources of one run."""

    roots: tuple[Path, ...]
    """The group_vars/ and host_vars/ beside the sources; links on the way to them resolved."""
    trusted: bool
    """Whether links may lead anywhere (`--allow-exec=inventory`)."""

    @classmethod
    def beside(cls, folders: Iterable[Path], *, trusted: bool) -> Links:
        """Return the rule for an inventory whose sources are in these folders."""
        real = dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders)
        return cls(tuple(folder / kind for folder in real for kind in KINDS), trusted)

    def check_source(self, path: Path) -> None:
        """Check a path that the caller names. Raises InventoryError as `check` does.

        Of an absolute path only the last part may have come with the inventory; a relative one
        starts in the checkout, so all of it may have.
        """
        if not str(path).startswith(_STREAMS):
            hint = f"name what it leads to: -i {os.path.realpath(path)}"
            self._check(path, path.parent if path.is_absolute() else Path(), hint)

    def check(self, path: Path, top: Path) -> None:
        """Check a file or folder below `top`.

        Raises InventoryError where a link on the way from `top` leads to anything but a regular
        file, or a folder, below group_vars/ or host_vars/ of this inventory.
        """
        self._check(path, top, "put a copy of the file there")

    def _check(self, path: Path, top: Path, hint: str) -> None:
        if self.trusted or not _is_linked(path, top):
            return
        target = Path(os.path.realpath(path))
        is_below = any(target.is_relative_to(root) for root in self.roots)
        if is_below and (target.is_file() or target.is_dir()):
            return
        message = (
            f"this is a link to {target}, which is no file below group_vars/ or host_vars/ of this "
            "inventory"
        )
        least = f"{consent.option('inventory')}, if you trust the inventory as you do a program"
        raise InventoryError(
            [Problem(message, Position(str(path), 1, 1), hint=f"{hint}; or {least}")]
        )


def _is_linked(path: Path, top: Path) -> bool:
    """Return True if a part of the path below `top` is a link."""
    while path != top:
        if path.is_symlink():
            return True
        path = path.parent
    return False

"""Check symbolic links in an inventory: they may lead only to variables of the same inventory.

The author of an unread inventory (a merge request) could link to any file of the planning machine,
and its content would be read as variables. Git cannot tell which files belong to the inventory,
because a `.git` folder that came with it can run programs.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scimconf import consent
from scimconf.errors import InventoryError
from scimconf.model import Position, Problem

KINDS = ("group_vars", "host_vars")
STREAMS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""System links to what the caller opened, such as a shell's `<(command)`."""


@dataclass(frozen=True, slots=True)
class Links:
    """The rule for links in the sources of one run."""

    roots: tuple[Path, ...]
    """The group_vars/ and host_vars/ beside the sources, with links in their paths resolved."""
    trusted: bool
    """True if links may lead anywhere (`--allow-exec=inventory`)."""

    @classmethod
    def beside(cls, folders: Iterable[Path], *, trusted: bool) -> Links:
        """Return the rule for an inventory whose sources are in these folders."""
        real = dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders)
        return cls(tuple(folder / kind for folder in real for kind in KINDS), trusted)

    def check_source(self, path: Path) -> None:
        """Check a path that the user gave. Raises InventoryError as `check` does.

        A relative path starts in the checkout, so every part of it may come with the inventory. Of
        an absolute path, only the last part may.
        """
        if not str(path).startswith(STREAMS):
            hint = f"use its target: -i {shlex.quote(os.path.realpath(path))}"
            self._check(path, path.parent if path.is_absolute() else Path(), hint)

    def check(self, path: Path, top: Path) -> None:
        """Check a file or folder below `top`.

        Raises InventoryError if a link between `top` and the path leads anywhere but to a regular
        file or folder below group_vars/ or host_vars/ of this inventory.
        """
        self._check(path, top, "replace the link by a copy of the file")

    def _check(self, path: Path, top: Path, hint: str) -> None:
        if self.trusted or not _is_linked(path, top):
            return
        target = Path(os.path.realpath(path))
        is_below = any(target.is_relative_to(root) for root in self.roots)
        if is_below and (target.is_file() or target.is_dir()):
            return
        message = (
            f"this is a link to {target}, which is not a file below group_vars/ or host_vars/ of "
            "this inventory"
        )
        least = f"if you trust the inventory like a program, add {consent.option('inventory')}"
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

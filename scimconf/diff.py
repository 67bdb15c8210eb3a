"""What a plan would change in the two files, as a unified diff with every token masked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scimconf.agent import settings_file


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one realm's text."""

    realm: str
    entry: str | None = None
    """The entry, masked, that the block will have; None: it stays as it is."""
    removed: bool = False
    secret_before: tuple[str, str] | None = None
    """Name and mask of its line in zulip-secrets.conf."""
    secret_after: tuple[str, str] | None = None

    @property
    def touches_files(self) -> bool:
        """Whether anything is written at all."""
        return (
            self.entry is not None or self.removed or self.secret_before != self.secret_after
        )


def unified(block: str | None, changes: Sequence[Change], settings: str, secrets: str) -> str:
    """Give the diff of both files, "" if nothing changes.

    `block` is the server's assignment to SCIM_CONFIG, masked, as the agent sent it. It goes
    through the same editor as the real file will on the server.
    """
    entries = {
        change.realm: change.entry for change in changes if change.entry is not None or change.removed
    }
    before = block or ""
    after = settings_file.edit(before.encode(), entries).decode() if entries else before
    moving = [change for change in changes if change.secret_before != change.secret_after]
    return "".join(
        (
            *_unified(before, after, settings),
            *_unified(
                "".join(_line(change.secret_before) for change in moving),
                "".join(_line(change.secret_after) for change in moving),
                secrets,
            ),
        )
    )


def _line(secret: tuple[str, str] | None) -> str:
    return f"{secret[0]} = {secret[1]}\n" if secret else ""


def _unified(before: str, after: str, name: str) -> Iterator[str]:
    return difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, name
    )

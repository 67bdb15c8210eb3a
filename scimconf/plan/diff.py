"""Show what a plan would change in the two files: a unified diff with every token masked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scimconf.agent import settings_edit
from scimconf.agent.errors import Refusal
from scimconf.errors import HostError
from scimconf.model import Observed, Paths
from scimconf.sanitize import one_line
from scimconf.zulip.expression import parsing


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one realm in the two files."""

    realm: str
    entry: str | None = None
    """The new entry, masked; None: the entry does not change."""
    removed: bool = False
    secret_before: tuple[str, str] | None = None
    """Name and mask of the realm's line in zulip-secrets.conf."""
    secret_after: tuple[str, str] | None = None

    @property
    def touches_files(self) -> bool:
        """Whether one of the files changes."""
        return self.entry is not None or self.removed or self.secret_before != self.secret_after


def unified(
    observed: Observed, changes: Sequence[Change], paths: Paths, *, keep_empty: bool
) -> str:
    """Return the diff of both files, "" if nothing changes.

    `keep_empty`: whether `SCIM_CONFIG = {}` stays after the last realm is removed. The same editor
    changes the masked block here and the real file on the server. Raises HostError for a block that
    cannot be edited.
    """
    entries = {
        change.realm: change.entry
        for change in changes
        if change.entry is not None or change.removed
    }
    before = observed.block or ""
    after = before
    if entries:
        has_import = observed.has_get_secret
        after = _edited(before, entries, has_import=has_import, keep_empty=keep_empty)
    moving = [change for change in changes if change.secret_before != change.secret_after]
    return "".join(
        (
            *_unified(before, after, paths.settings),
            *_unified(
                "".join(_line(change.secret_before) for change in moving),
                "".join(_line(change.secret_after) for change in moving),
                paths.secrets,
            ),
        )
    )


def _edited(
    block: str, entries: Mapping[str, str | None], *, has_import: bool, keep_empty: bool
) -> str:
    """Edit the block. If the file imports get_secret, edit it below such an import."""
    above = "from .config import get_secret\n\n" if has_import else ""
    try:
        text = (above + block).encode()
        with parsing:
            edited = settings_edit.edit(text, entries, keep_empty=keep_empty).decode()
    except (Refusal, UnicodeError) as error:
        raise HostError(
            "plan",
            f"the SCIM_CONFIG that the server sent cannot be edited: {one_line(str(error))}",
            "nothing was changed; check settings.py on the server",
        ) from None
    # If the block is removed, the empty line above it is removed, too.
    return edited.removeprefix(above.rstrip("\n")).lstrip("\n")


def _line(secret: tuple[str, str] | None) -> str:
    return f"{secret[0]} = {secret[1]}\n" if secret else ""


def _unified(before: str, after: str, name: str) -> Iterator[str]:
    return difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, name
    )

"""What a transaction replaces and how to roll that back: the content of its journal."""

from __future__ import annotations

import base64
import itertools
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

from scimconf.agent import durable, files
from scimconf.agent.clients import Client
from scimconf.agent.errors import AgentError, redacted
from scimconf.agent.gate import Before, Question


class NotStarted(AgentError):
    """A step did not start and has changed nothing, so it must not be undone."""


@redacted
class FileChange(NamedTuple):
    """A file's bytes before and after one step."""

    path: str
    before: bytes = b""
    after: bytes = b""

    @property
    def changes(self) -> bool:
        """Whether the step writes anything at all."""
        return self.before != self.after

    def write(self) -> None:
        """Write the new bytes. Raises NotStarted before the first write, and AgentError after."""
        try:
            now = files.read(self.path)
        except AgentError as error:
            raise NotStarted(error.message, error.hint) from None
        if now != self.before:
            raise NotStarted(
                f"something else changed {self.path} during this run", "run the command again"
            )
        durable.replace(self.path, self.after)

    def roll_back(self) -> None:
        """Restore the old bytes, whether or not the new ones were written. Raises AgentError."""
        now = files.read(self.path)
        if now == self.before:
            return
        if not self.may_have_left(now):
            raise AgentError(
                f"something else changed {self.path} during this run; the rollback did not touch it"
            )
        durable.replace(self.path, self.before, even_if_full=True)

    def may_have_left(self, now: bytes) -> bool:
        """Return whether the bytes are the old ones, the new ones, or a mix of both.

        A crash can leave a mix if a bind mount was written in place, by the change or its rollback.
        Any of the blocks may be on the disk, and new blocks that are missing read as zeros.
        """
        shorter, longer = sorted((len(self.before), len(self.after)))
        both = zip(now, itertools.zip_longest(self.before, self.after, fillvalue=0))
        return shorter <= len(now) <= longer and all(each in pair for each, pair in both)


@redacted
class Undo(NamedTuple):
    """How to undo one transaction.

    `new_secrets` is written before settings.py, and `old_secrets` are removed after it.
    """

    began: str
    who: str
    deployment: str
    settings: FileChange
    new_secrets: FileChange
    old_secrets: FileChange
    clients_added: Tuple[Client, ...]
    """Clients that were not registered before. A rollback removes only these."""
    clients_removed: Tuple[Client, ...]
    restart: Optional[Tuple[str, ...]]
    restart_seconds: float
    probe: Optional[str]
    host: Optional[str]
    """A realm's host name, to ask whether the site is up; None: the web server is not asked."""
    alive: bool
    """Whether the site was up before."""
    before: Tuple[Before, ...]
    after: Tuple[Question, ...]
    """The checks of the gate before the commit."""
    gate_seconds: float

    @property
    def tokens(self) -> Iterator[str]:
        """Yield the tokens that messages must not show."""
        yield from (each.token for each in self.before)
        yield from (each.token for each in self.after if each.token)

    @property
    def changes_files(self) -> bool:
        """Whether one of the files changes."""
        changes = (self.settings, self.new_secrets, self.old_secrets)
        return any(each.changes for each in changes)

    def roll_back_old_secrets(self) -> None:
        """Restore removed tokens, unless an earlier rollback has already restored more."""
        if not self.new_secrets.may_have_left(files.read(self.old_secrets.path)):
            self.old_secrets.roll_back()

    @property
    def changes_clients(self) -> bool:
        """Whether a client is registered or removed."""
        return bool(self.clients_added or self.clients_removed)


def to_json(undo: Undo) -> Dict[str, Any]:
    """Return the content of the journal."""
    plain = undo._asdict()
    for name in _FILES:
        change: FileChange = plain[name]
        plain[name] = {
            "path": change.path,
            "before": base64.b64encode(change.before).decode(),
            "after": base64.b64encode(change.after).decode(),
        }
    return plain


def from_json(plain: Mapping[str, Any]) -> Undo:
    """Read what `to_json` wrote."""
    files_changed = {
        name: FileChange(
            plain[name]["path"],
            base64.b64decode(plain[name]["before"]),
            base64.b64decode(plain[name]["after"]),
        )
        for name in _FILES
    }
    restart = plain["restart"]
    return Undo(
        **{
            **plain,
            **files_changed,
            "clients_added": tuple((realm, name) for realm, name in plain["clients_added"]),
            "clients_removed": tuple((realm, name) for realm, name in plain["clients_removed"]),
            "restart": None if restart is None else tuple(restart),
            "before": tuple(Before(*each) for each in plain["before"]),
            "after": tuple(Question(*each) for each in plain["after"]),
        }
    )


_FILES = ("settings", "new_secrets", "old_secrets")

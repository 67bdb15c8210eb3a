"""What a transaction replaces, and how that is put back: all that its journal holds."""

from __future__ import annotations

import base64
import itertools
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

from scimconf.agent import files
from scimconf.agent.clients import Client
from scimconf.agent.errors import AgentError, redacted
from scimconf.agent.gate import Before, Question


class NotStarted(AgentError):
    """A step must not begin; it has changed nothing, so nothing of it has to be undone."""


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
        """Put the new bytes in place. Raises AgentError; NotStarted where that was not even tried."""
        try:
            now = files.read(self.path)
        except AgentError as trouble:
            raise NotStarted(trouble.message, trouble.hint) from None
        if now != self.before:
            raise NotStarted(f"{self.path} was changed by somebody else meanwhile")
        files.replace(self.path, self.after)

    def put_back(self) -> None:
        """Put the old bytes back, whether the new ones are there yet or not. Raises AgentError."""
        now = files.read(self.path)
        if now == self.before:
            return
        if not self.holds(now):
            raise AgentError(
                f"{self.path} was changed by somebody else meanwhile, and is left alone"
            )
        files.replace(self.path, self.before, even_if_full=True)

    def holds(self, now: bytes) -> bool:
        """Say whether these are the old bytes, the new ones, or some of each in their places.

        The latter is what a crash leaves where a bind mount had to be written in place, on the
        way there or back: the disk may have taken any of the blocks, and holds zeros for those
        that are new and that it has not.
        """
        shorter, longer = sorted((len(self.before), len(self.after)))
        both = zip(now, itertools.zip_longest(self.before, self.after, fillvalue=0))
        return shorter <= len(now) <= longer and all(each in pair for each, pair in both)


@redacted
class Undo(NamedTuple):
    """One transaction, from its way back's point of view. `new_secrets` is written before
    settings.py, `old_secrets` go after it.
    """

    began: str
    who: str
    deployment: str
    settings: FileChange
    new_secrets: FileChange
    old_secrets: FileChange
    clients_added: Tuple[Client, ...]
    """Those that are not registered yet: no others are taken away again."""
    clients_removed: Tuple[Client, ...]
    restart: Optional[Tuple[str, ...]]
    restart_seconds: float
    probe: Optional[str]
    host: Optional[str]
    """A realm's host name to ask for whether the site is alive; None: it is not asked."""
    alive: bool
    """Whether it was, before."""
    before: Tuple[Before, ...]
    after: Tuple[Question, ...]
    """What the gate asks before the commit."""
    gate_seconds: float

    @property
    def tokens(self) -> Iterator[str]:
        """Give the tokens that its messages must not show."""
        yield from (each.token for each in self.before)
        yield from (each.token for each in self.after if each.token)

    @property
    def changes_files(self) -> bool:
        """Whether either file gets other bytes."""
        changes = (self.settings, self.new_secrets, self.old_secrets)
        return any(each.changes for each in changes)

    def put_old_secrets_back(self) -> None:
        """Put back tokens that were removed, unless an earlier way back has come further."""
        if not self.new_secrets.holds(files.read(self.old_secrets.path)):
            self.old_secrets.put_back()

    @property
    def changes_clients(self) -> bool:
        """Whether a client is registered or taken away."""
        return bool(self.clients_added or self.clients_removed)


def to_json(undo: Undo) -> Dict[str, Any]:
    """Give it as the journal keeps it."""
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

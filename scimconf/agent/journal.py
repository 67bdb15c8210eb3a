"""The journal of the last transaction. It is on disk before any change, to undo a dead run."""

from __future__ import annotations

import json
import os
from enum import Enum
from typing import NamedTuple, Optional

from scimconf.agent import files, undo
from scimconf.agent.errors import AgentError
from scimconf.agent.undo import Undo

_NAME = "journal.json"
_ACKNOWLEDGED = "told"
_FORMAT = 1
_LIMIT = 12 * files.LIMIT
"""Bytes. The journal holds two settings.py and four zulip-secrets.conf in base64."""


class State(Enum):
    """The state of a transaction."""

    OPEN = "open"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"


class Kind(Enum):
    """What was requested."""

    APPLY = "apply"
    UNDO = "undo"


class Journal(NamedTuple):
    """One transaction. The journal is kept after the commit, for a later undo."""

    path: str
    run: str
    """The transaction's id, which the controller knows too."""
    kind: Kind
    state: State
    reached: str
    """The last step that has begun."""
    undo: Undo
    message: str = ""
    """The message of the result."""

    @property
    def title(self) -> str:
        """Return when the run began and who started it."""
        return f"{self.undo.began}, by {self.undo.who}"

    def reach(self, step: str) -> "Journal":
        """Record that a step begins. Call it before the step. Raises AgentError."""
        return self._written(self._replace(reached=step))

    def close(self, state: State, message: str = "") -> "Journal":
        """Record how the transaction ended. Raises AgentError."""
        return self._written(self._replace(state=state, message=message))

    @staticmethod
    def _written(journal: "Journal") -> "Journal":
        text = json.dumps(
            {
                "format": _FORMAT,
                "run": journal.run,
                "kind": journal.kind.value,
                "state": journal.state.value,
                "reached": journal.reached,
                "message": journal.message,
                "undo": undo.to_json(journal.undo),
            }
        )
        files.write_private(journal.path, text.encode())
        return journal


def path(folder: str) -> str:
    """Return the path of the journal in a state folder."""
    return os.path.join(folder, _NAME)


def begin(folder: str, kind: Kind, what: Undo, step: str) -> Journal:
    """Write a new journal durably. Raises AgentError."""
    return Journal(path(folder), os.urandom(8).hex(), kind, State.OPEN, step, what).reach(step)


def read(folder: str) -> Optional[Journal]:
    """Return the last transaction, or None. Raises AgentError."""
    where = path(folder)
    if not os.path.exists(where):
        return None
    try:
        plain = json.loads(files.read(where, _LIMIT))
        if plain["format"] != _FORMAT:
            raise ValueError
        return Journal(
            where,
            plain["run"],
            Kind(plain["kind"]),
            State(plain["state"]),
            plain["reached"],
            undo.from_json(plain["undo"]),
            plain["message"],
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        raise AgentError(
            f"the journal {where} cannot be read: was it written by another version of scimconf?",
            "compare settings.py and zulip-secrets.conf with the backups beside the journal, "
            "correct them, then remove the journal",
        ) from None


def interrupted(folder: str) -> Optional[Journal]:
    """Return the journal of an interrupted transaction, or None."""
    last = read(folder)
    return last if last and last.state is State.OPEN else None


def sweep(folder: str) -> None:
    """Remove unfinished files that dead runs left in a state folder. The caller holds the lock."""
    for each in (folder, os.path.join(folder, files.BACKUPS)):
        files.sweep_private(each)


def acknowledge(folder: str, run: str) -> None:
    """Record that a controller has read the result of a transaction. Raises AgentError.

    It is written to a separate file, because this request does not hold the lock.
    """
    files.write_private(os.path.join(folder, _ACKNOWLEDGED), run.encode())


def is_acknowledged(folder: str, run: str) -> bool:
    """Return whether a controller has read the result of a transaction."""
    try:
        return files.read(os.path.join(folder, _ACKNOWLEDGED)) == run.encode()
    except AgentError:
        return False

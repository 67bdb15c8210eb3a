"""The journal of the last transaction: how to undo it, on disk before anything is changed."""

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
"""Bytes. It holds two settings.py and four zulip-secrets.conf, a third larger than they are."""


class State(Enum):
    """Where a transaction stands."""

    OPEN = "open"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"


class Kind(Enum):
    """What it was asked to do."""

    APPLY = "apply"
    UNDO = "undo"


class Journal(NamedTuple):
    """One transaction. It stays after the commit, so that it can be undone later."""

    path: str
    run: str
    """The name by which both ends know this transaction."""
    kind: Kind
    state: State
    reached: str
    """The last step that was begun."""
    undo: Undo
    message: str = ""
    """What was to be said of how it ended."""

    @property
    def title(self) -> str:
        """Say which run it was: when, and by whom."""
        return f"{self.undo.began}, by {self.undo.who}"

    def reach(self, step: str) -> "Journal":
        """Write down, before it begins, that a step has begun. Raises AgentError."""
        return self._written(self._replace(reached=step))

    def close(self, state: State, message: str = "") -> "Journal":
        """Write down how it ended. Raises AgentError."""
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
    """Give where the journal is in a state folder."""
    return os.path.join(folder, _NAME)


def begin(folder: str, kind: Kind, what: Undo, step: str) -> Journal:
    """Write a new journal, durably. Raises AgentError."""
    return Journal(path(folder), os.urandom(8).hex(), kind, State.OPEN, step, what).reach(step)


def read(folder: str) -> Optional[Journal]:
    """Give the last transaction; None where there was none. Raises AgentError."""
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
            f"{where} cannot be read: was it written by another version of scimconf?",
            "look at the backups beside it, put right what is not, and remove it",
        ) from None


def interrupted(folder: str) -> Optional[Journal]:
    """Give the journal of a transaction that did not come to its end; None: there is none."""
    last = read(folder)
    return last if last and last.state is State.OPEN else None


def sweep(folder: str) -> None:
    """Remove what dead runs left half written in a state folder. The lock has to be held."""
    for each in (folder, os.path.join(folder, files.BACKUPS)):
        files.sweep_private(each)


def acknowledge(folder: str, run: str) -> None:
    """Write down that somebody heard how a transaction ended. Raises AgentError.

    In a file of its own: whoever tells need not hold the lock.
    """
    files.write_private(os.path.join(folder, _ACKNOWLEDGED), run.encode())


def is_acknowledged(folder: str, run: str) -> bool:
    """Say whether somebody heard how a transaction ended."""
    try:
        return files.read(os.path.join(folder, _ACKNOWLEDGED)) == run.encode()
    except AgentError:
        return False

"""The journal of the last transaction. It is on disk before any change, to undo a dead run."""

from __future__ import annotations

import json
import os
from enum import Enum
from typing import NamedTuple, Optional

from scimconf.agent import durable, files, last_run, undo
from scimconf.agent.last_run import State, titled
from scimconf.agent.undo import Undo


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
        return titled(self.undo.began, self.undo.who)

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
                "format": last_run.FORMAT,
                "run": journal.run,
                "kind": journal.kind.value,
                "state": journal.state.value,
                "reached": journal.reached,
                "message": journal.message,
                "undo": undo.to_json(journal.undo),
            }
        )
        durable.write_private(journal.path, text.encode())
        return journal


def begin(folder: str, kind: Kind, what: Undo, step: str) -> Journal:
    """Write a new journal durably. Raises AgentError."""
    return Journal(last_run.path(folder), os.urandom(8).hex(), kind, State.OPEN, step, what).reach(
        step
    )


def read(folder: str) -> Optional[Journal]:
    """Return the last transaction, or None. Raises AgentError."""
    return last_run.parse(
        folder,
        lambda plain: Journal(
            last_run.path(folder),
            plain["run"],
            Kind(plain["kind"]),
            State(plain["state"]),
            plain["reached"],
            undo.from_json(plain["undo"]),
            plain["message"],
        ),
    )


def interrupted(folder: str) -> Optional[Journal]:
    """Return the journal of an interrupted transaction, or None."""
    last = read(folder)
    return last if last and last.state is State.OPEN else None


def sweep(folder: str) -> None:
    """Remove unfinished files that dead runs left in a state folder. The caller holds the lock."""
    for each in (folder, os.path.join(folder, files.BACKUPS)):
        durable.sweep_private(each)


def acknowledge(folder: str, run: str) -> None:
    """Record that a controller has read the result of a transaction. Raises AgentError.

    It is written to a separate file, because this request does not hold the lock.
    """
    durable.write_private(os.path.join(folder, last_run.ACKNOWLEDGED), run.encode())

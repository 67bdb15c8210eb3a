"""What a plan needs to know of the last transaction: a part of its journal.

A plan does not need the old files in it, so it does not load the modules that undo a transaction.
"""

from __future__ import annotations

import json
import os
from enum import Enum
from typing import Any, Callable, Mapping, NamedTuple, Optional, TypeVar

from scimconf.agent import files
from scimconf.agent.errors import AgentError

FORMAT = 1
_NAME = "journal.json"
ACKNOWLEDGED = "told"
_LIMIT = 12 * files.LIMIT
"""Bytes. The journal holds two settings.py and four zulip-secrets.conf in base64."""

Read = TypeVar("Read")


class State(Enum):
    """The state of a transaction."""

    OPEN = "open"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"


class LastRun(NamedTuple):
    """The last transaction. The fields are those of `Journal`."""

    run: str
    state: State
    reached: str
    title: str
    message: str


def path(folder: str) -> str:
    """Return the path of the journal in a state folder."""
    return os.path.join(folder, _NAME)


def titled(began: str, who: str) -> str:
    """Return when a run began and who started it."""
    return f"{began}, by {who}"


def read(folder: str) -> Optional[LastRun]:
    """Return the last transaction, or None. Raises AgentError."""
    return parse(
        folder,
        lambda plain: LastRun(
            plain["run"],
            State(plain["state"]),
            plain["reached"],
            titled(plain["undo"]["began"], plain["undo"]["who"]),
            plain["message"],
        ),
    )


def parse(folder: str, build: Callable[[Mapping[str, Any]], Read]) -> Optional[Read]:
    """Return what `build` makes of the journal; None: there is no journal. Raises AgentError."""
    where = path(folder)
    if not os.path.exists(where):
        return None
    try:
        plain = json.loads(files.read(where, _LIMIT))
        if plain["format"] != FORMAT:
            raise ValueError
        return build(plain)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise AgentError(
            f"the journal {where} cannot be read: was it written by another version of scimconf?",
            "compare settings.py and zulip-secrets.conf with the backups beside the journal, "
            "correct them, then remove the journal",
        ) from None


def is_acknowledged(folder: str, run: str) -> bool:
    """Return whether a controller has read the result of a transaction."""
    try:
        return files.read(os.path.join(folder, ACKNOWLEDGED)) == run.encode()
    except AgentError:
        return False

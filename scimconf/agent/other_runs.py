"""Look for other runs on this server: one that is at work, was interrupted, or has ended."""

from __future__ import annotations

import os
from typing import NamedTuple, Optional, Tuple

from scimconf.agent import files, last_run, lock
from scimconf.agent.errors import AgentError
from scimconf.agent.last_run import LastRun, State


class Runs(NamedTuple):
    """The state of other runs at one moment. No field may contain a token of the journal."""

    at_work: Optional[str] = None
    """Who holds the lock."""
    last: Tuple[str, str, str] = ("", "", "")
    """The last run, its state and the step that it reached, to compare two moments."""
    interrupted: Optional[str] = None
    """Which run was interrupted, and at which step."""
    ended: Optional[str] = None
    """How the last run ended, if it was not interrupted."""
    unreadable: Optional[str] = None
    """Why the journal cannot be read."""
    unseen: Optional[str] = None
    """Why this user cannot look for other runs at all."""


def look(deployment: str) -> Runs:
    """Look at the lock and the journal, without changing them."""
    folder = files.state_folder(deployment)
    try:
        os.listdir(folder)
        at_work = lock.holder(folder)
    except FileNotFoundError:
        return Runs()
    except OSError as error:
        return Runs(unseen=f"{folder} cannot be read by {files.user()}: {error.strerror}")
    if at_work:
        return Runs(at_work=at_work)
    try:
        last = last_run.read(folder)
    except AgentError as error:
        return Runs(unreadable=error.sentence)
    if last is None:
        return Runs()
    moment = (last.run, last.state.value, last.reached)
    if last.state is State.OPEN:
        return Runs(last=moment, interrupted=f"{last.title}, at {last.reached!r}")
    return Runs(last=moment, ended=_finished_alone(last))


def is_acknowledged(deployment: str, runs: Runs) -> bool:
    """Return whether a controller has read the result of the last run."""
    return last_run.is_acknowledged(files.state_folder(deployment), runs.last[0])


def _finished_alone(last: LastRun) -> str:
    text = (
        f"the last run ({last.title}) finished by itself after it lost the connection: "
        f"{last.state.value}"
    )
    return f"{text} ({last.message})" if last.message else text

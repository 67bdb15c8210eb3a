"""Roll a transaction back: undo every step that has begun, then check the old state."""

from __future__ import annotations

import contextlib
import functools
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from scimconf.agent import durable, files, own_clients
from scimconf.agent.errors import AgentError, as_agent_error
from scimconf.agent.journal import Journal
from scimconf.agent.last_run import State
from scimconf.agent.progress import Progress
from scimconf.agent.steps import GATE, RESTART, ROLLBACK_STEPS, STEPS, WRITE_SETTINGS, Step
from scimconf.agent.undo import Undo

_RETRIED = "the server has its old configuration; run the command again to close the journal"


class RollbackFailed(AgentError):
    """The rollback failed, or the check after it did."""


def roll_back(opened: Journal, steps: Progress, why: str, *, tolerant: bool = True) -> str:
    """Undo every step that has begun, last first. Return a message: `why`, and what else happened.

    `tolerant`: a failed restart is accepted if the gate shows the state from before the run. When
    the files are restored, the journal is closed, even if the gate fails, because another run could
    not do more. Raises RollbackFailed.
    """
    undo, begun = opened.undo, _begun(opened.reached)
    failures: Dict[str, AgentError] = {}
    restored, proved = True, False
    for name, parts in _parts(undo, begun):
        try:
            steps.run(name, functools.partial(_undo_all, parts, undo))
            proved = name == GATE.rollback_step
        except AgentError as error:
            failures[name] = error
        if name == WRITE_SETTINGS.rollback_step:
            # Check now, because a later change of a restored file does not concern this rollback.
            restored = _is_restored(undo, begun)
            if not restored:
                break
    message = why
    if tolerant and proved and list(failures) == [RESTART.rollback_step]:
        # Both restarts failed, but the gate shows the state from before the run.
        failure = failures.pop(RESTART.rollback_step)
        message += f"; the restart failed in the rollback too ({failure.message})"
    if not undo.alive and list(failures) == [GATE.rollback_step]:
        # The site was down before too, so this is no failure. The message names the problem.
        message += f"; {failures.pop(GATE.rollback_step).message}"
    if restored:
        _forget_clients(undo, failures)
        try:
            opened.close(State.ROLLED_BACK, _with(failures, message))
        except Exception as error:
            failures["journal"] = as_agent_error(error)
    if failures:
        hint = _by_hand(opened, restored) if list(failures) != ["journal"] else _RETRIED
        raise RollbackFailed(_with(failures, message), hint)
    return message


def _forget_clients(undo: Undo, failures: Mapping[str, AgentError]) -> None:
    """Delete the records of the clients that this run would have registered, or has unregistered.

    A client that could not be unregistered keeps its record.
    """
    if WRITE_SETTINGS.rollback_step not in failures:
        with contextlib.suppress(AgentError):  # a full disk must not stop the rollback
            own_clients.remove(files.state_folder(undo.deployment), undo.clients_added)


def _with(failures: Dict[str, AgentError], message: str) -> str:
    """Add the failures to the message."""
    texts = [f"{name}: {each.message}" for name, each in failures.items()]
    return f"{message}; in the rollback: {'; '.join(texts)}" if texts else message


def roll_back_interrupted(dead: Journal, steps: Progress) -> str:
    """Roll back a run that died. Return a message. Raises RollbackFailed.

    That run may have restarted Zulip before it died, so the rollback needs a restart that works.
    """
    steps.hide(dead.undo.tokens)
    for change in (dead.undo.settings, dead.undo.new_secrets):
        durable.sweep(change.path)
    why = f"the run of {dead.title} was interrupted at {dead.reached!r}"
    return roll_back(dead, steps, why, tolerant=False)


def _begun(reached: str) -> Tuple[Step, ...]:
    index = [step.name for step in STEPS].index(reached)
    begun = STEPS[: index + 1]
    # After a restart, the gate must check the rollback, even if the gate itself has not begun.
    return STEPS if RESTART in begun else begun


def _parts(undo: Undo, begun: Sequence[Step]) -> Iterator[Tuple[str, List[Step]]]:
    """Yield each step of the rollback with the steps that it undoes."""
    for name in ROLLBACK_STEPS:
        parts = [
            step
            for step in reversed(begun)
            if step.rollback_step == name and step.undo and step.needed(undo)
        ]
        if parts:
            yield name, parts


def _is_restored(undo: Undo, begun: Sequence[Step]) -> bool:
    """Return whether every file that may have been written has its old content. Never raises."""
    changes = [step.old(undo) for step in begun if step.old and step.needed(undo)]
    try:
        return all(files.read(each.path) == each.before for each in changes)
    except AgentError:
        return False


def _undo_all(parts: List[Step], undo: Undo) -> None:
    """Undo the steps in order. Raises the first failure.

    If a file cannot be restored, stop: it still needs the secrets that were written for it. For a
    missing secret, Zulip reads None, and would accept "Bearer None".
    """
    failures = []
    for step in parts:
        try:
            if step.undo:
                step.undo(undo)
        except AgentError as error:
            failures.append(error)
            if step.old:
                break
    if failures:
        raise failures[0]


def _by_hand(opened: Journal, restored: bool) -> str:
    undo = opened.undo
    restart = " ".join(undo.restart or ("restart-server",))
    if restored:
        return (
            f"{undo.settings.path} has its old content; restart Zulip by hand ({restart}) and "
            "check its logs"
        )
    return (
        f"restore the old files from {files.backup_folder(undo.deployment)}, run {restart}, then "
        f"remove {opened.path}"
    )

"""The way back of a transaction: every step that was begun undone, and the old state proved."""

from __future__ import annotations

import functools
from typing import Dict, Iterator, List, Sequence, Tuple

from scimconf.agent import files
from scimconf.agent.errors import AgentError
from scimconf.agent.journal import Journal, State
from scimconf.agent.progress import Progress, as_agent_error
from scimconf.agent.steps import GATE, RESTART, ROLLBACK_STEPS, STEPS, WRITE_SETTINGS, Step
from scimconf.agent.undo import Undo

_LATER = "all is as it was; the next run does that again, before anything else"


class RollbackFailed(AgentError):
    """Not everything could be put back, or it was not proved."""


def roll_back(opened: Journal, steps: Progress, why: str, *, tolerant: bool = True) -> str:
    """Undo every step that was begun, last first; gives what to say of it: `why`, and a remark.

    `tolerant`: a restart that fails may be forgiven where the gate says that all is as before.
    With the files back the journal is closed, whatever the second gate says: another run could
    not do better. Raises RollbackFailed.
    """
    undo, begun = opened.undo, _begun(opened.reached)
    failures: Dict[str, AgentError] = {}
    back, proved = True, False
    for name, parts in _parts(undo, begun):
        try:
            steps.run(name, functools.partial(_undo_all, parts, undo))
            proved = name == GATE.back
        except AgentError as trouble:
            failures[name] = trouble
        if name == WRITE_SETTINGS.back:
            # Now, not later: what happens to a file that is back is somebody else's doing.
            back = _is_back(undo, begun)
            if not back:
                break
    message = why
    if tolerant and proved and list(failures) == [RESTART.back]:
        # Nothing was restarted, neither then nor now: the gate says that all is as before.
        message += f"; it failed on the way back too ({failures.pop(RESTART.back).message})"
    if not undo.alive and list(failures) == [GATE.back]:
        # A site that was down before is back as it was; that it is down is said.
        message += f"; {failures.pop(GATE.back).message}"
    if back:
        try:
            opened.close(State.ROLLED_BACK, _with(failures, message))
        except Exception as error:
            failures["journal"] = as_agent_error(error)
    if failures:
        hint = _by_hand(opened, back) if list(failures) != ["journal"] else _LATER
        raise RollbackFailed(_with(failures, message), hint)
    return message


def _with(failures: Dict[str, AgentError], message: str) -> str:
    """Add the failures to the message."""
    texts = [f"{name}: {each.message}" for name, each in failures.items()]
    return f"{message}; on the way back: {'; '.join(texts)}" if texts else message


def finish(dead: Journal, steps: Progress) -> str:
    """Go the way back of a run that died; gives what to say of it. Raises RollbackFailed.

    That run may have restarted Zulip before it died, so without a restart nothing is proved.
    """
    steps.hide(dead.undo.tokens)
    for change in (dead.undo.settings, dead.undo.new_secrets):
        files.sweep(change.path)
    why = f"the run of {dead.title} was interrupted at {dead.reached!r}"
    return roll_back(dead, steps, why, tolerant=False)


def _begun(reached: str) -> Tuple[Step, ...]:
    index = [step.name for step in STEPS].index(reached)
    begun = STEPS[: index + 1]
    # A restart is proved by the gate, also one that failed before the gate had its turn.
    return STEPS if RESTART in begun else begun


def _parts(undo: Undo, begun: Sequence[Step]) -> Iterator[Tuple[str, List[Step]]]:
    """Give what has to be undone, by the steps of the way back."""
    for name in ROLLBACK_STEPS:
        parts = [step for step in reversed(begun) if step.back == name and step.needed(undo)]
        parts = [step for step in parts if step.undo]
        if parts:
            yield name, parts


def _is_back(undo: Undo, begun: Sequence[Step]) -> bool:
    """Say whether every file that was, or may have been, written is as it was. Never raises."""
    changes = [step.old(undo) for step in begun if step.old and step.needed(undo)]
    try:
        return all(files.read(each.path) == each.before for each in changes)
    except AgentError:
        return False


def _undo_all(parts: List[Step], undo: Undo) -> None:
    """Undo one part after the other; raises the first failure.

    A file that cannot be put back needs all that was made ready for it: then the rest stays. Zulip
    reads None for a secret that is missing, and would let in whoever says "Bearer None".
    """
    failures = []
    for step in parts:
        try:
            if step.undo:
                step.undo(undo)
        except AgentError as trouble:
            failures.append(trouble)
            if step.old:
                break
    if failures:
        raise failures[0]


def _by_hand(opened: Journal, back: bool) -> str:
    undo = opened.undo
    restart = " ".join(undo.restart or ("restart-server",))
    if back:
        return f"{undo.settings.path} is as it was; restart Zulip by hand ({restart}), see its logs"
    return (
        f"the old files are in {files.backup_folder(undo.deployment)}: put them back, run "
        f"{restart}, then remove {opened.path}"
    )

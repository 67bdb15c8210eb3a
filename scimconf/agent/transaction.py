"""Change a server completely or not at all. The controller is not needed after the request.

docs/agent.md has the order of the steps. The journal records each step before it begins, so the
next run can roll back a dead one. A transaction ends with a commit, or it is rolled back.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Callable, Dict, Mapping, Optional

from scimconf.agent import (
    applied_tokens,
    deliveries,
    files,
    journal,
    lock,
    outage,
    own_clients,
    paths,
    prepare_undo,
    request,
)
from scimconf.agent.errors import AgentError, as_agent_error
from scimconf.agent.journal import Journal, Kind
from scimconf.agent.last_run import State
from scimconf.agent.paths import Paths
from scimconf.agent.prepare import Stale, prepare
from scimconf.agent.prepare_undo import ChangedSince, NothingToUndo
from scimconf.agent.probe import WebServer
from scimconf.agent.progress import Emit, Message, Progress
from scimconf.agent.rollback import RollbackFailed, roll_back, roll_back_interrupted
from scimconf.agent.steps import GATE, RESTART, STEPS, WRITE_SETTINGS, Change
from scimconf.agent.undo import NotStarted, Undo

_RESULTS = {Stale: "stale", NothingToUndo: "nothing", ChangedSince: "touched"}


def apply(plain: Mapping[str, Any], emit: Emit, who: str) -> Message:
    """Carry out an apply request and return the final message. Raises AgentError if invalid."""
    wanted = request.parse(plain)
    steps = Progress(emit, wanted.tokens)

    def work(folder: str) -> Message:
        return _transact(Kind.APPLY, folder, steps, lambda: prepare(wanted, who))

    return _under_lock(wanted.paths, request.lock_seconds(plain), steps, who, work)


def undo(plain: Mapping[str, Any], emit: Emit, who: str) -> Message:
    """Undo the last transaction, or (`look`) report what that would do.

    If a run was interrupted, only roll that back. Raises AgentError if the request is invalid.
    """
    run = plain.get("run")
    where, steps = paths.read(plain), Progress(emit)
    if plain.get("look"):
        return _look(where, lambda folder: _pending_undo(folder, run))

    def work(folder: str) -> Message:
        if journal.interrupted(folder):
            return _recover(folder, steps)
        return _transact(
            Kind.UNDO, folder, steps, lambda: prepare_undo.prepare_undo(folder, run, who)
        )

    return _under_lock(where, request.lock_seconds(plain), steps, who, work)


def recover(plain: Mapping[str, Any], emit: Emit, who: str) -> Message:
    """Roll back an interrupted run, or (`look`) report whether there is one.

    Raises AgentError if the request is invalid.
    """
    where, steps = paths.read(plain), Progress(emit)
    if plain.get("look"):
        return _look(where, _nothing_interrupted)
    work = functools.partial(_recover, steps=steps)
    return _under_lock(where, request.lock_seconds(plain), steps, who, work)


def acknowledge(plain: Mapping[str, Any]) -> Message:
    """Record that the controller has read the result of a run. Raises AgentError."""
    journal.acknowledge(files.state_folder(paths.read(plain).deployment), str(plain["run"]))
    return _final("acknowledged", "")


def note(plain: Mapping[str, Any], emit: Emit, who: str) -> Message:
    """Change the notes about deliveries, and return the final message."""
    steps, turns = Progress(emit), deliveries.request(plain["deliveries"])

    def work(folder: str) -> Message:
        try:
            steps.run("note", lambda: deliveries.change(folder, turns))
        except AgentError as error:
            return _declined(error)
        return _final("committed", "", changed=True)

    return _under_lock(paths.read(plain), request.lock_seconds(plain), steps, who, work)


# --- look only --------------------------------------------------------------------------------


def _look(where: Paths, otherwise: Callable[[str], Message]) -> Message:
    """Report a run that is at work or was interrupted, else what `otherwise` returns.

    The lock is not taken.
    """
    folder = files.state_folder(where.deployment)
    at_work = lock.holder(folder)
    if at_work:
        return _busy(at_work, "wait until that run has ended, then run the command again")
    try:
        dead = journal.interrupted(folder)
        if dead:
            message = f"roll back an interrupted run ({dead.title}, at {dead.reached!r})"
            return _final("pending", message)
        return otherwise(folder)
    except AgentError as error:
        return _final("failed", error.message, error.hint)


def _pending_undo(folder: str, run: Optional[str]) -> Message:
    try:
        found = prepare_undo.last_undoable(folder, run)
    except (NothingToUndo, Stale, ChangedSince) as declined:
        return _declined(declined)
    message = f"undo the run of {found.title}"
    return _final("pending", message, run=found.run, diff=prepare_undo.masked_diff(folder, found))


def _nothing_interrupted(folder: str) -> Message:
    return _final("nothing", "no run was interrupted here")


# --- with the lock ----------------------------------------------------------------------------


def _under_lock(
    where: Paths, seconds: float, steps: Progress, who: str, work: Callable[[str], Message]
) -> Message:
    """Do the work under the lock. Wait for the lock at most `seconds`."""
    folder = files.state_folder(where.deployment)

    def waiting(holder: str) -> None:
        steps.begin("lock", f"waiting for {holder}")

    def take(stack: contextlib.ExitStack) -> None:
        stack.enter_context(lock.held(folder, who, seconds, waiting))
        lock.wait_for_restart(
            folder,
            max(seconds, _seconds_of_a_restart(folder)),
            lambda dead: waiting(f"the restart of an interrupted run: {dead}"),
        )

    with contextlib.ExitStack() as stack:
        try:
            steps.run("lock", lambda: take(stack))
        except lock.Restarting as busy:
            message = f"the restart of an interrupted run is still running: {busy}"
            hint = f"wait until it has ended; to see it on the server: ps -fu {files.user()}"
            return _final("busy", message, hint)
        except lock.Busy as busy:
            return _busy(str(busy), "wait until it has ended, or use apply --lock-timeout SECONDS")
        except AgentError as error:
            return _final("failed", f"lock: {error.message}", error.hint)
        return work(folder)


def _seconds_of_a_restart(folder: str) -> float:
    """Return how long the restart of an interrupted run may take; 0 if no run was interrupted."""
    try:
        dead = journal.interrupted(folder)
    except AgentError:  # reported later, when the journal is needed
        return 0
    return dead.undo.restart_seconds if dead else 0


def _recover(folder: str, steps: Progress) -> Message:
    journal.sweep(folder)
    try:
        dead = journal.interrupted(folder)
    except AgentError as error:
        return _final("failed", error.message, error.hint)
    if dead is None:
        return _nothing_interrupted(folder)
    result, message, hint = "recovered", "", ""
    try:
        message = roll_back_interrupted(dead, steps)
    except RollbackFailed as failure:
        result, message, hint = "roll-back failed", failure.message, failure.hint
    return _final(result, message, hint, changed=True, run=dead.run)


def _transact(kind: Kind, folder: str, steps: Progress, look: Callable[[], Change]) -> Message:
    """Roll back an interrupted run if there is one. Then look again and carry the change out."""
    left = _recover(folder, steps)
    if left["result"] not in ("nothing", "recovered"):
        return left
    first = f"{left['message']}, and was rolled back first; " if left["changed"] else ""
    try:
        change = steps.run("look again", look)
    except AgentError as error:
        final = _declined(error)
    else:
        steps.hide(change.undo.tokens)
        final = _carry_out(kind, change, folder, steps)
    both = {name: final[name] or left[name] for name in ("changed", "run")}
    return {**final, "message": first + final["message"], **both}


def _carry_out(kind: Kind, change: Change, folder: str, steps: Progress) -> Message:
    undo = change.undo
    name, opened, previous = "journal", None, None
    details: Dict[str, str] = {}
    watch: Optional[outage.Watch] = None
    seconds: Optional[float] = None
    try:
        opened = steps.run(name, lambda: _begin(kind, change, folder))
        for step in (step for step in STEPS if step.needed(undo)):
            name, previous = step.name, opened
            opened = opened.reach(name)
            if step.name == RESTART.name:
                watch = outage.watch(WebServer(undo.probe).users, undo.before, undo.after)
            details[name] = steps.run(name, functools.partial(step.do, change))
            if step.name == GATE.name and watch:
                seconds = round(watch.seconds(), 1)
        name, message = "commit", _unproved(undo, details)
        steps.run(name, functools.partial(opened.close, State.COMMITTED, message))
    except Exception as error:
        failure = as_agent_error(error)
        if watch:
            watch.stop()
        opened = previous if isinstance(failure, NotStarted) else opened
        return _roll_back(f"{name}: {failure.message}", failure.hint, opened, steps)
    with contextlib.suppress(AgentError):  # a full disk must not undo the change
        own_clients.remove(folder, undo.clients_removed)
    changed = undo.changes_files or undo.changes_clients or undo.restart is not None
    final = _final("committed", message, changed=changed, run=opened.run)
    return {**final, "unproved": message, "outage": seconds}


def _begin(kind: Kind, change: Change, folder: str) -> Journal:
    applied_tokens.add(folder, change.applied)
    own_clients.add(folder, change.undo.clients_added)
    return journal.begin(folder, kind, change.undo, STEPS[0].name)


def _unproved(undo: Undo, details: Mapping[str, str]) -> str:
    """Return what the gate could not prove; "" if nothing."""
    if undo.changes_files and undo.restart is None:
        return "not restarted: Zulip keeps its old configuration until it is restarted by hand"
    if undo.host is None:
        return "not verified: the web server was not asked"
    return details.get(GATE.name, "")


def _roll_back(why: str, hint: str, opened: Optional[Journal], steps: Progress) -> Message:
    if opened is None:
        return _final("failed", why, hint)
    try:
        message = roll_back(opened, steps, why)
    except RollbackFailed as failure:
        return _final(
            "roll-back failed", failure.message, failure.hint, changed=True, run=opened.run
        )
    names = [step.name for step in STEPS]
    in_force = names.index(opened.reached) >= names.index(WRITE_SETTINGS.name)
    return _final("rolled back" if in_force else "failed", message, hint, run=opened.run)


# --- final messages ---------------------------------------------------------------------------


def _busy(holder: str, hint: str) -> Message:
    return _final("busy", f"another run holds the lock: {holder}", hint)


def _declined(error: AgentError) -> Message:
    result = _RESULTS.get(type(error), "failed")
    diff = error.diff if isinstance(error, ChangedSince) else ""
    return _final(result, error.message, error.hint, diff=diff)


def _final(
    result: str,
    message: str,
    hint: str = "",
    *,
    changed: bool = False,
    run: str = "",
    diff: str = "",
) -> Message:
    return {
        "final": True,
        "result": result,
        "message": message,
        "hint": hint,
        "changed": changed,
        "run": run,
        "diff": diff,
    }

"""One change to a server, whole or not at all; nobody at the other end is needed for it.

The order is that of docs/agent.md. Before each step the journal says that it begins, so that the
next run can finish the way back of one that died. A way out that is not the commit leads back.
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
)

from scimconf.agent import files, journal, lock, request
from scimconf.agent.journal import Journal, State
from scimconf.agent.prepare import Stale, prepare
from scimconf.agent.request import Request
from scimconf.agent.steps import GATE, RESTART, STEPS, WAY_BACK, WRITE_SETTINGS, Change, Step
from scimconf.agent.trouble import Trouble
from scimconf.agent.undo import Undo

Message = Dict[str, Any]
Emit = Callable[[Message], None]
T = TypeVar("T")


class Steps:
    """Carries steps out one after the other and tells of each when it begins and ends."""

    def __init__(self, emit: Emit, hidden: Iterable[str] = ()) -> None:
        self._emit = emit
        self._hidden = tuple(each for each in hidden if each)

    def hide(self, more: Iterable[str]) -> None:
        """Show these no more either."""
        self._hidden += tuple(each for each in more if each)

    def run(self, name: str, do: Callable[[], T]) -> T:
        """Carry out one step. Raises Trouble, its text without anything that must not be shown."""
        self._emit({"step": name, "doing": True})
        begun = time.monotonic()
        try:
            result = do()
        except lock.Busy:
            self._end(name, begun, ok=False, detail="somebody else is at work")
            raise
        except Exception as error:
            trouble = as_trouble(error)
            for each in self._hidden:
                trouble.message = trouble.message.replace(each, "<secret>")
            self._end(name, begun, ok=False, detail=trouble.message)
            raise trouble from None
        self._end(name, begun, ok=True, detail=result if isinstance(result, str) else "")
        return result

    def _end(self, name: str, begun: float, ok: bool, detail: str) -> None:
        seconds = round(time.monotonic() - begun, 3)
        self._emit({"step": name, "ok": ok, "seconds": seconds, "detail": detail})


def as_trouble(error: Exception) -> Trouble:
    """Give the error itself if it is for people, else what and where, without any value."""
    return error if isinstance(error, Trouble) else Trouble(*described(error))


def described(error: BaseException) -> Tuple[str, str]:
    """Say what a mistake of our own is, and where, without any value: its text may hold one."""
    trace, place = error.__traceback__, ""
    while trace:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    what = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        what = error.strerror
    return f"{what} (agent, {place})", "if this is not about the server itself, please report it"


def apply(plain: Mapping[str, Any], emit: Emit, who: str) -> Message:
    """Carry out a request to apply; gives the final message. Raises Trouble for a wrong one."""
    wanted = request.parse(plain)
    folder = files.state_folder(wanted.paths.deployment)
    steps = Steps(emit, wanted.tokens)
    with contextlib.ExitStack() as stack:
        try:
            steps.run("lock", lambda: stack.enter_context(lock.held(folder, who)))
        except lock.Busy as busy:
            hint = "wait until it has ended, then plan again"
            return _final("busy", f"another run holds the lock: {busy}", hint)
        except Trouble as trouble:
            return _final("failed", f"lock: {trouble.message}", trouble.hint)
        return _locked(wanted, folder, steps, who)


def _locked(wanted: Request, folder: str, steps: Steps, who: str) -> Message:
    dead = None
    try:
        dead = journal.interrupted(folder)
        if dead:
            _finish_way_back(dead, steps)
        change = steps.run("look again", lambda: prepare(wanted, who))
        steps.hide(each.token for each in change.undo.before)
    except RollBackFailed as failure:
        return _final("roll-back failed", failure.message, failure.hint, changed=True)
    except Stale as stale:
        first = "an interrupted run was rolled back first; " if dead else ""
        return _final("stale", first + stale.message, stale.hint, changed=bool(dead))
    except Trouble as trouble:
        return _final("failed", trouble.message, trouble.hint, changed=bool(dead))
    return _carry_out(change, folder, steps)


def _finish_way_back(dead: Journal, steps: Steps) -> None:
    why = f"a run of {dead.undo.began} by {dead.undo.who} was interrupted at {dead.reached!r}"
    way_back(dead, steps, why)


def _carry_out(change: Change, folder: str, steps: Steps) -> Message:
    undo = change.undo
    name, opened = "journal", None
    details: Dict[str, str] = {}
    try:
        opened = steps.run(name, lambda: journal.begin(folder, undo, STEPS[0].name))
        for step in (step for step in STEPS if step.needed(undo)):
            name = step.name
            opened = opened.reach(name)
            details[name] = steps.run(name, functools.partial(step.do, change))
        name = "commit"
        steps.run(name, functools.partial(opened.close, State.COMMITTED))
    except Exception as error:
        trouble = as_trouble(error)
        return _go_back(f"{name}: {trouble.message}", trouble.hint, opened, steps)
    changed = undo.changes_files or undo.changes_clients or undo.restart is not None
    return _final("committed", _unproved(undo, details), changed=changed)


def _unproved(undo: Undo, details: Mapping[str, str]) -> str:
    """Say what a commit could not prove; "" if nothing."""
    if undo.changes_files and undo.restart is None:
        return "not restarted: Zulip keeps its old configuration until it is restarted by hand"
    if undo.host is None:
        return "not verified: the web server was not asked"
    return details.get(GATE.name, "")


# --- the way back -----------------------------------------------------------------------------


class RollBackFailed(Trouble):
    """Not everything could be put back, or it was not proved."""


def _go_back(why: str, hint: str, opened: Optional[Journal], steps: Steps) -> Message:
    if opened is None:
        return _final("failed", why, hint)
    try:
        remark = way_back(opened, steps, why)
    except RollBackFailed as failure:
        return _final("roll-back failed", failure.message, failure.hint, changed=True)
    names = [step.name for step in STEPS]
    in_force = names.index(opened.reached) >= names.index(WRITE_SETTINGS.name)
    return _final("rolled back" if in_force else "failed", why + remark, hint)


def way_back(opened: Journal, steps: Steps, why: str) -> str:
    """Undo every step that was begun, last first; gives a remark for the message, or "".

    With the files back the journal is closed, whatever the second gate says: another run could
    not do better. Raises RollBackFailed.
    """
    undo = opened.undo
    failures: Dict[str, Trouble] = {}
    proved = False
    for name, parts in _parts(undo, opened.reached):
        try:
            steps.run(name, functools.partial(_undo_all, parts, undo))
            proved = name == GATE.back
        except Trouble as trouble:
            failures[name] = trouble
            if not undo.is_back():
                break
    if undo.is_back():
        try:
            opened.close(State.ROLLED_BACK)
        except Exception as error:
            failures["journal"] = as_trouble(error)
    remark = ""
    if proved and list(failures) == [RESTART.back]:
        # Nothing was restarted, neither then nor now: the gate says that all is as before.
        remark = f"; it failed on the way back too ({failures.pop(RESTART.back).message})"
    if failures:
        name, first = next(iter(failures.items()))
        message = f"{why}; on the way back: {name}: {first.message}"
        raise RollBackFailed(message, _by_hand(opened))
    return remark


def _parts(undo: Undo, reached: str) -> Iterator[Tuple[str, List[Step]]]:
    """Give what has to be undone, by the steps of the way back."""
    index = [step.name for step in STEPS].index(reached)
    # A restart is proved by the gate, also one that failed before the gate had its turn.
    begun = STEPS if RESTART in STEPS[: index + 1] else STEPS[: index + 1]
    for name in WAY_BACK:
        parts = [step for step in reversed(begun) if step.back == name and step.needed(undo)]
        parts = [step for step in parts if step.undo]
        if parts:
            yield name, parts


def _undo_all(parts: List[Step], undo: Undo) -> None:
    """Undo every part even if one fails; then raises the first failure."""
    failures = []
    for step in parts:
        try:
            if step.undo:
                step.undo(undo)
        except Trouble as trouble:
            failures.append(trouble)
    if failures:
        raise failures[0]


def _by_hand(opened: Journal) -> str:
    undo = opened.undo
    restart = " ".join(undo.restart or ("restart-server",))
    if undo.is_back():
        return f"{undo.settings.path} is as it was; restart Zulip by hand ({restart}), see its logs"
    return (
        f"the old files are in {files.backup_folder(undo.deployment)}: put them back, run "
        f"{restart}, then remove {opened.path}"
    )


def _final(result: str, message: str, hint: str = "", changed: bool = False) -> Message:
    return {"final": True, "result": result, "message": message, "hint": hint, "changed": changed}

"""Progress that tell of themselves, and mistakes of our own in words that may be shown."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterable, Tuple, TypeVar

from scimconf.agent import lock
from scimconf.agent.errors import AgentError

Message = Dict[str, Any]
Emit = Callable[[Message], None]
T = TypeVar("T")


class Progress:
    """Carries steps out one after the other and tells of each when it begins and ends."""

    def __init__(self, emit: Emit, hidden: Iterable[str] = ()) -> None:
        self._emit = emit
        self._hidden = tuple(each for each in hidden if each)

    def hide(self, more: Iterable[str]) -> None:
        """Show these no more either."""
        self._hidden += tuple(each for each in more if each)

    def run(self, name: str, do: Callable[[], T]) -> T:
        """Carry out one step. Raises AgentError, its text without anything that must not be shown."""
        self.begin(name)
        begun = time.monotonic()
        try:
            result = do()
        except lock.Busy:
            self._end(name, begun, ok=False, detail="somebody else is at work")
            raise
        except Exception as error:
            trouble = as_agent_error(error)
            for each in self._hidden:
                trouble.message = trouble.message.replace(each, "<secret>")
            self._end(name, begun, ok=False, detail=trouble.message)
            raise trouble from None
        self._end(name, begun, ok=True, detail=result if isinstance(result, str) else "")
        return result

    def begin(self, name: str, detail: str = "") -> None:
        """Tell that a step begins, or (again, with a detail) what it is waiting for."""
        self._emit({"step": name, "doing": True, **({"detail": detail} if detail else {})})

    def _end(self, name: str, begun: float, ok: bool, detail: str) -> None:
        seconds = round(time.monotonic() - begun, 3)
        self._emit({"step": name, "ok": ok, "seconds": seconds, "detail": detail})


def as_agent_error(error: Exception) -> AgentError:
    """Give the error itself if it is for people, else what and where, without any value."""
    return error if isinstance(error, AgentError) else AgentError(*described(error))


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

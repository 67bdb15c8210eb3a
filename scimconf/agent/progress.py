"""Run steps one after the other, and send a message when each one begins and ends."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterable, Tuple, TypeVar

from scimconf.agent import lock
from scimconf.agent.errors import as_agent_error

Message = Dict[str, Any]
Emit = Callable[[Message], None]
T = TypeVar("T")


class Progress:
    """Run steps and report them. Secrets are replaced in the reports."""

    def __init__(self, emit: Emit, secrets: Iterable[str] = ()) -> None:
        self._emit = emit
        self._secrets: Tuple[str, ...] = ()
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide more secrets in messages."""
        self._secrets += tuple(each for each in secrets if each)

    def run(self, name: str, do: Callable[[], T]) -> T:
        """Run one step. Raises Busy, and AgentError with the secrets in its message replaced."""
        self.begin(name)
        begun = time.monotonic()
        try:
            result = do()
        except lock.Busy:
            self._end(name, begun, ok=False, detail="another run is at work")
            raise
        except Exception as error:
            known = as_agent_error(error)
            for each in self._secrets:
                known.message = known.message.replace(each, "<secret>")
            self._end(name, begun, ok=False, detail=known.message)
            raise known from None
        self._end(name, begun, ok=True, detail=result if isinstance(result, str) else "")
        return result

    def begin(self, name: str, detail: str = "") -> None:
        """Report that a step begins, or with a detail what a running step waits for."""
        self._emit({"step": name, "doing": True, **({"detail": detail} if detail else {})})

    def _end(self, name: str, begun: float, ok: bool, detail: str) -> None:
        seconds = round(time.monotonic() - begun, 3)
        self._emit({"step": name, "ok": ok, "seconds": seconds, "detail": detail})

"""Measure how long SCIM was unavailable: ask one realm repeatedly while Zulip restarts.

The duration of the restart would be too long, because the old token works until just before its
end. The realm is asked three times a second, from the restart to the end of the gate.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Callable, Optional, Sequence

from scimconf.agent.errors import AgentError
from scimconf.agent.gate import Before, Question

_PAUSE = 0.3
"""Seconds between two requests."""

Ask = Callable[[str, str], Optional[int]]
"""Ask a host for its users with a token. Return the HTTP status; None: no answer."""


class Watch:
    """Ask with the old token until it is refused, then with the new one."""

    def __init__(self, ask: Ask, host: str, old: str, new: str) -> None:
        """Start to ask. The realm accepted the old token just before."""
        self._ask = ask
        self._host, self._old, self._new = host, old, new
        self._last_accepted = time.monotonic()
        """The start of the last request that accepted the old token."""
        self._new_accepted: Optional[float] = None
        """When the new token was accepted, unless it was refused later."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """Stop asking. Return the longest time, in seconds, that SCIM can have been unavailable.

        Call it after the gate has seen that the new token is accepted.
        """
        now = time.monotonic()
        self.stop()
        self._thread.join()
        return (now if self._new_accepted is None else self._new_accepted) - self._last_accepted

    def stop(self) -> None:
        """Stop asking. Do not wait for the last answer, so that a rollback is not delayed."""
        self._end.set()

    def _run(self) -> None:
        refused = False
        while not self._end.is_set():
            begun = time.monotonic()
            if refused:
                accepted = self._accepts(self._new)
                self._new_accepted = (self._new_accepted or time.monotonic()) if accepted else None
            elif self._accepts(self._old):
                self._last_accepted = begun
            else:
                refused = True
                continue  # the new token may be in force already
            self._end.wait(_PAUSE)

    def _accepts(self, token: str) -> bool:
        with contextlib.suppress(AgentError):
            return self._ask(self._host, token) == 200
        return False


def watch(ask: Ask, before: Sequence[Before], after: Sequence[Question]) -> Optional[Watch]:
    """Start to ask for the first realm with a token before and after; None: no realm has both."""
    old = {each.realm: each for each in before if each.status == 200}
    for each in after:
        if each.wanted and each.token and each.realm in old:
            return Watch(ask, each.host, old[each.realm].token, each.token)
    return None

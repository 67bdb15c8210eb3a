"""How long SCIM was unavailable: one realm is asked again and again while Zulip restarts.

The old token works until the last seconds of a restart, so that the restart took 20 seconds says
little. One question every third of a second, from the restart to the end of the gate, is cheap.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Callable, Optional, Sequence

from scimconf.agent.errors import AgentError
from scimconf.agent.gate import Before, Question

_PAUSE = 0.3
"""Seconds between two questions."""

Ask = Callable[[str, str], Optional[int]]
"""Asks for a host's users with a token; gives the HTTP status, None: no answer."""


class Watch:
    """Asks with the old token until it is refused, then with the new one."""

    def __init__(self, ask: Ask, host: str, old: str, new: str) -> None:
        """The realm let the old token in just now."""
        self._ask = ask
        self._host, self._old, self._new = host, old, new
        self._last_in = time.monotonic()
        """When the old token was asked with for the last time that it was let in."""
        self._in_again: Optional[float] = None
        """When the new one was let in, unless it was refused after that."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """Stop asking; gives the most seconds that SCIM can have been unavailable.

        The new token is let in by now: the gate has seen it.
        """
        now = time.monotonic()
        self.stop()
        self._thread.join()
        return (now if self._in_again is None else self._in_again) - self._last_in

    def stop(self) -> None:
        """Stop asking, without waiting for an answer that is due: the way back is not held up."""
        self._end.set()

    def _run(self) -> None:
        refused = False
        while not self._end.is_set():
            begun = time.monotonic()
            if refused:
                is_in = self._lets_in(self._new)
                self._in_again = (self._in_again or time.monotonic()) if is_in else None
            elif self._lets_in(self._old):
                self._last_in = begun
            else:
                refused = True
                continue  # the new token may be in force already
            self._end.wait(_PAUSE)

    def _lets_in(self, token: str) -> bool:
        with contextlib.suppress(AgentError):
            return self._ask(self._host, token) == 200
        return False


def watch(ask: Ask, before: Sequence[Before], after: Sequence[Question]) -> Optional[Watch]:
    """Begin to ask for the first realm that has a token before and after; None: there is none."""
    old = {each.realm: each for each in before if each.status == 200}
    for each in after:
        if each.wanted and each.token and each.realm in old:
            return Watch(ask, each.host, old[each.realm].token, each.token)
    return None

"""A TLS connection with a time limit for each answer as a whole.

The timeout of a socket is for each read. Whoever sends small parts without an end, for example
`100 Continue`, would keep a thread busy for the rest of the run.
"""

from __future__ import annotations

import ssl
import time
from typing import Any

SECONDS = 30.0
"""For one answer. Callers wait for a shorter time."""


class TimedSocket(ssl.SSLSocket):
    """Raises TimeoutError if an answer takes too long. Use it as `sslsocket_class` of a context."""

    _until: float | None = None

    def sendall(self, *given: Any) -> None:
        """Send a request, or a part of it. The time of its answer begins with the next read."""
        self._until = None
        super().sendall(*given)

    def recv_into(self, *given: Any) -> int:
        """Read into a buffer."""
        now = time.monotonic()
        self._until = self._until or now + SECONDS
        if now > self._until:
            raise TimeoutError("no complete answer in time")
        return super().recv_into(*given)

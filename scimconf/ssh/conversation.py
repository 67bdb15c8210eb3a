"""The conversation with one agent: start it, send requests, check every answer (docs/agent.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import NoReturn

from scimconf.errors import HostError, Unreachable
from scimconf.model import WayFact
from scimconf.sanitize import one_line
from scimconf.secret import Secret
from scimconf.ssh.opening import Move, Opening
from scimconf.ssh.process import Process

MOST_ANSWER = 4 << 20
"""Bytes that all lines of one answer may have together. As Python objects this is some 150 MB."""
MOST_MESSAGES = 1000
"""Lines that one answer may have. A transaction with its rollback reports some sixty steps."""
LOOK_SECONDS = 60.0
"""Seconds for a request that changes nothing: the start of the agent, and its whole answer."""
_MOST_STDERR = 1 << 14
_LONE_SURROGATE = "\\ud"


class Conversation:
    """A running agent. It answers one request after the other until it is closed.

    `reached`: what ssh_config and the name servers added to the route. `look_seconds`: the time for
    a request that changes nothing; for the first request, the start of the agent counts too.
    `warnings`: about options of ssh_config that are not followed.
    """

    def __init__(
        self,
        process: Process,
        reached: tuple[WayFact, ...] = (),
        look_seconds: float = LOOK_SECONDS,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.reached = reached
        self.warnings = warnings
        self._look_seconds = look_seconds
        self._starting = 0.0
        self._looking = False
        self._process = process
        self._outgoing = b""
        self._incoming = bytearray()
        self._stderr = b""
        self._at_work = False

    def start(
        self, opening: Opening, password: Secret | None, program: bytes, seconds: float
    ) -> None:
        """Answer the password prompt, and send the program once the bootstrap is ready.

        Raises HostError with the reason if the bootstrap is not ready within `seconds`.
        """
        begun = time.monotonic()
        deadline = begun + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise opening.timed_out(seconds)
            turn = self._process.exchange(self._outgoing, left)
            self._outgoing = self._outgoing[turn.sent :]
            move = opening.feed(turn.out, turn.err)
            if move is Move.SEND_PROGRAM:
                self._outgoing = program
                self._incoming += opening.rest
                self._starting = time.monotonic() - begun
                return
            if move is Move.SEND_PASSWORD and password is not None:
                self._outgoing = _password_line(password)
            if turn.ended:
                status = self._process.exit_status()
                raise opening.ended(status) if status is not None else _broken()

    def ask(
        self, request: Mapping[str, object], seconds: float | None = None
    ) -> Iterator[Mapping[str, object]]:
        """Send a request; return each message when it arrives, the final one last.

        `seconds`: the time for the whole answer. None for a request that changes nothing: it has
        `look_seconds`, because a slow server could otherwise hold us for the time of a change.

        Secrets in the request become clear text only when they are written to the channel.

        Raises HostError if the answer is invalid or not complete within `seconds`. Raises
        Unreachable if the connection breaks; the server then finishes by itself.
        """
        if self._at_work or self._incoming:
            raise _invalid("it answers more than one request")
        self._outgoing += json.dumps(request, default=_reveal).encode() + b"\n"
        self._at_work = True
        self._looking = seconds is None
        left = self._look_seconds - self._starting if seconds is None else seconds
        self._starting = 0.0
        deadline = time.monotonic() + left
        total = count = 0
        while self._at_work:
            line = self._line(deadline, MOST_ANSWER - total)
            total += len(line)
            count += 1
            if count > MOST_MESSAGES:
                raise _invalid(f"the answer has over {MOST_MESSAGES} lines")
            message = _message(line)
            if message.get("final") is True:
                self._at_work = False
                if self._incoming:
                    raise _invalid("it answers more than one request")
            yield message

    def _line(self, deadline: float, most: int) -> bytes:
        searched = 0
        while True:
            end = self._incoming.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._incoming[:end])
                del self._incoming[: end + 1]
                return line
            searched = len(self._incoming)
            if searched > most:
                raise _invalid(f"the answer is over {MOST_ANSWER >> 20} MiB")
            self._turn(deadline)

    def _turn(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 and self._looking:
            raise HostError(
                "agent",
                f"the server did not answer completely within {self._look_seconds:g} s"
                + self._last_words(),
                "if the server is slow, allow more time: --look-timeout 300",
            )
        if left <= 0:
            raise HostError(
                "agent",
                "the agent did not finish in time" + self._last_words(),
                "a change continues on the server by itself; run plan to see the result",
            )
        turn = self._process.exchange(self._outgoing, left)
        self._outgoing = self._outgoing[turn.sent :]
        self._incoming += turn.out
        self._stderr = (self._stderr + turn.err)[:_MOST_STDERR]
        if turn.ended and b"\n" not in turn.out:
            raise self._ended()

    def _ended(self) -> HostError:
        status = self._process.exit_status()
        if status is None:
            return _broken()
        self._at_work = False
        return HostError(
            "agent",
            f"the agent ended without an answer (exit status {status})" + self._last_words(),
            "run plan to see the state of the server",
        )

    def _last_words(self) -> str:
        lines = self._stderr.strip().splitlines()
        # The last line of a Python traceback is the error.
        text = one_line(lines[-1] if b"Traceback" in self._stderr else self._stderr)
        return f": {text}" if text else ""

    def close(self) -> None:
        """Close the connection to the agent. It finishes the current request by itself."""
        self._process.close(at_work=self._at_work)


def _password_line(password: Secret) -> bytes:
    text = password.reveal()
    if "\n" in text:
        raise HostError(
            "become",
            "the become password has more than one line, and sudo reads only one",
            "check the file or variable that it comes from; it may contain more than the password",
        )
    return text.encode() + b"\n"


def _message(line: bytes) -> Mapping[str, object]:
    try:
        text = line.decode("utf-8")
        message = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if _LONE_SURROGATE in text.lower():
            json.dumps(message, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _invalid(f"not JSON: {one_line(line, 120)}") from error
    if not isinstance(message, dict):
        raise _invalid(f"not a JSON object: {one_line(line, 120)}")
    return message


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build a JSON object. Raises ValueError for a repeated key, because its value is ambiguous."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _invalid(what: str) -> HostError:
    return HostError(
        "agent",
        f"the server sent an invalid response ({what}); it was ignored",
        "check this server by hand: the response did not come from scimconf's agent",
    )


def _broken() -> Unreachable:
    return Unreachable(
        "agent",
        "the connection broke while the agent was working",
        "the agent finishes by itself; run plan when the server is reachable again",
    )

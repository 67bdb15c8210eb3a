"""The conversation with one agent: start it, ask it, believe nothing (docs/agent.md)."""

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
"""Bytes that the answer to one request may have, all its lines together: some 150 MB as objects."""
MOST_MESSAGES = 1000
"""Lines of the answer to one request; a transaction and its way back tell of some sixty steps."""
LOOK_SECONDS = 60.0
"""For a look altogether: the start of the agent, and all of its answer."""
_MOST_STDERR = 1 << 14
_LONE_SURROGATE = "\\ud"


class Conversation:
    """A running agent. It answers one request after the other until it is closed.

    `reached`: what ssh_config and the name servers added to the way to it. `look_seconds`: for a
    request that changes nothing, with the start before the first one.
    """

    def __init__(
        self,
        process: Process,
        reached: tuple[WayFact, ...] = (),
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self.reached = reached
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
        """Bring the command that has just been started to where the agent listens.

        Raises HostError with the reason if it does not get there in `seconds`.
        """
        begun = time.monotonic()
        deadline = begun + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise opening.silent(seconds)
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
        """Send a request; return each step message as it comes, the final one last.

        `seconds`: for all of the answer. None: it is a look, which has `look_seconds`; else a
        server that sends a byte now and then would hold us for as long as a change may take.

        The Secrets in it become clear text on their way into the channel, and not before.

        Raises HostError where the agent breaks the contract or is not done in `seconds`, and
        Unreachable where the link to it breaks: then the server finishes by itself.
        """
        if self._at_work or self._incoming:
            raise _breach("it answers more than it was asked")
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
                raise _breach(f"its answer has over {MOST_MESSAGES} lines")
            message = _message(line)
            if message.get("final") is True:
                self._at_work = False
                if self._incoming:
                    raise _breach("it answers more than it was asked")
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
                raise _breach(f"its answer is over {MOST_ANSWER >> 20} MiB")
            self._turn(deadline)

    def _turn(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 and self._looking:
            raise HostError(
                "agent",
                f"the server had not answered in full after {self._look_seconds:g} s"
                + self._said(),
                "if the server is slow, wait longer: --look-timeout 300",
            )
        if left <= 0:
            raise HostError(
                "agent",
                "the server's agent did not finish in time" + self._said(),
                "if it was changing something it goes on by itself: look with plan",
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
            f"the agent ended without an answer (exit {status})" + self._said(),
            "run plan to see how the server stands",
        )

    def _said(self) -> str:
        lines = self._stderr.strip().splitlines()
        # The last line of a Python traceback is the one that says something.
        said = one_line(lines[-1] if b"Traceback" in self._stderr else self._stderr)
        return f": {said}" if said else ""

    def close(self) -> None:
        """Let go of the agent. What it is doing for a request it finishes by itself."""
        self._process.close(at_work=self._at_work)


def _password_line(password: Secret) -> bytes:
    text = password.reveal()
    if "\n" in text:
        raise HostError(
            "become",
            "the become password has more than one line, and sudo reads one",
            "does the file or the variable that it comes from hold something else too?",
        )
    return text.encode() + b"\n"


def _message(line: bytes) -> Mapping[str, object]:
    try:
        text = line.decode("utf-8")
        message = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if _LONE_SURROGATE in text.lower():
            json.dumps(message, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _breach(f"it sends what is not JSON: {one_line(line, 120)}") from error
    if not isinstance(message, dict):
        raise _breach(f"it sends JSON that is not a message: {one_line(line, 120)}")
    return message


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Give a JSON object; one key twice is refused: who knows which of them was meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _breach(what: str) -> HostError:
    return HostError(
        "agent",
        f"the server does not talk as scimconf's agent does; {what}",
        "nothing of it was believed; look at that server by hand",
    )


def _broken() -> Unreachable:
    return Unreachable(
        "agent",
        "the connection broke while the agent was at work",
        "what it had begun it finishes by itself: run plan once the server is there again",
    )

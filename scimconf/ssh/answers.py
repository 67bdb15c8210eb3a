"""What a server's questions are answered with (RFC 4256, keyboard-interactive)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import paramiko  # type: ignore[import-untyped]

from scimconf.sanitize import one_line
from scimconf.secret import Secret

AskPerson = Callable[[str], Secret]
_terminal = threading.Lock()


class UnansweredError(paramiko.SSHException):  # type: ignore[misc]  # paramiko has no types
    """A question that nobody can be asked; str() is the question."""


class Answers:
    """Gives the password to the first hidden question, once; the rest is asked of a person."""

    def __init__(self, who: str, password: Secret | None, ask: AskPerson | None) -> None:
        self._who = who
        self._password = password
        self._ask = ask
        self._is_asked_first = password is None and ask is not None

    def password(self) -> Secret | None:
        """Give the password for the method of that name, and not again.

        A person is asked for it where none was given, but not where it was wrong: a fleet would
        ask as often as it has servers.
        """
        if self._is_asked_first:
            return self._ask_for("password")
        given, self._password = self._password, None
        return given

    @property
    def has_any(self) -> bool:
        """Whether there is a point in being asked for a password."""
        return self._password is not None or self._is_asked_first

    @property
    def has_more(self) -> bool:
        """Whether there is a point in being asked for more, once a password was right."""
        return self._ask is not None

    def reply(
        self, _title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """Answer one round of questions, as paramiko hands them over.

        Raises UnansweredError: an empty answer would count as a wrong one.
        """
        return [self._reply(instructions, text, shown=shown) for text, shown in prompts]

    def _reply(self, instructions: str, text: str, *, shown: bool) -> str:
        if self._password is not None and not shown:
            given, self._password = self._password, None
            return given.reveal()
        question = one_line(text, 120) or one_line(instructions, 120)
        if self._ask is None:
            raise UnansweredError(question)
        return self._ask_for(question.rstrip(": ")).reveal()

    def _ask_for(self, what: str) -> Secret:
        assert self._ask is not None
        with _terminal:
            return self._ask(f"{self._who}: {what}")

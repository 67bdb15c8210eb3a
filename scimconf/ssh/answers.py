"""The answers to a server's questions during login (RFC 4256, keyboard-interactive)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import paramiko  # type: ignore[import-untyped]

from scimconf.sanitize import one_line
from scimconf.secret import Secret

AskPerson = Callable[[str], Secret]
_terminal = threading.Lock()


class UnansweredError(paramiko.SSHException):  # type: ignore[misc]  # paramiko has no types
    """A question that no person is there to answer. str() is the question."""


class Answers:
    """Send the password once, to the first hidden question; ask a person for everything else."""

    def __init__(self, who: str, password: Secret | None, ask: AskPerson | None) -> None:
        self._who = who
        self._password = password
        self._ask = ask
        self._ask_for_password = ask if password is None else None

    def password(self) -> Secret | None:
        """Return the password for the method "password"; None after the first call.

        If no password is known, a person is asked. If the known one was wrong, no person is asked:
        a fleet would ask once for every server.
        """
        if self._ask_for_password is not None:
            return self._ask_on_terminal(self._ask_for_password, "password")
        password, self._password = self._password, None
        return password

    @property
    def has_any(self) -> bool:
        """Whether a question for the password can be answered."""
        return self._password is not None or self._ask_for_password is not None

    @property
    def has_more(self) -> bool:
        """Whether further questions can be answered after the right password."""
        return self._ask is not None

    def reply(
        self, _title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """Answer one round of questions; paramiko calls this.

        Raises UnansweredError: the server would count an empty answer as a wrong one.
        """
        return [self._reply(instructions, text, shown=shown) for text, shown in prompts]

    def _reply(self, instructions: str, text: str, *, shown: bool) -> str:
        if self._password is not None and not shown:
            password, self._password = self._password, None
            return password.reveal()
        question = one_line(text, 120) or one_line(instructions, 120)
        if self._ask is None:
            raise UnansweredError(question)
        return self._ask_on_terminal(self._ask, question.rstrip(": ")).reveal()

    def _ask_on_terminal(self, ask: AskPerson, what: str) -> Secret:
        with _terminal:
            return ask(f"{self._who}: {what}")

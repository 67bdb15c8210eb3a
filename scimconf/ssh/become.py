"""How the login user becomes the user that runs the agent: the base of sudo and su."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from scimconf.errors import HostError


@dataclass(frozen=True, slots=True)
class Become(ABC):
    """A program that changes the user, and may ask for a password first.

    Messages and hints may contain {login} and {user}.
    """

    marker: str
    """A random word that we make the program write to stderr. It is not shown to people."""
    login: str
    user: str

    refusals: ClassVar[tuple[tuple[str, str, str], ...]]
    """A pattern for the program's stderr, the message and the hint. The first match counts."""
    missing: ClassVar[tuple[str, str]]
    """Message and hint for a prompt when there is no password to send."""
    wrong: ClassVar[tuple[str, str]]
    """Message and hint for a second prompt. The password is sent only once."""

    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """Return the argv that comes before the agent's own argv. It contains no secret."""

    @abstractmethod
    def prompts(self, stderr: bytes) -> int:
        """Count how often the program has asked for a password."""

    def refusal(self, stderr: str) -> HostError | None:
        """Return the error for a message of the program; None if the message is not known."""
        for pattern, message, hint in self.refusals:
            if re.search(pattern, stderr, re.IGNORECASE):
                return self._error(message, hint)
        return None

    def no_password(self) -> HostError:
        """Return the error for a prompt when there is no password to send."""
        return self._error(*self.missing)

    def wrong_password(self) -> HostError:
        """Return the error for a second prompt."""
        return self._error(*self.wrong)

    def _error(self, message: str, hint: str) -> HostError:
        names = {"login": self.login, "user": self.user}
        return HostError("become", message.format(**names), hint.format(**names))

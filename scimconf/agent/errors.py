"""What can go wrong on a server, in words that may be shown: never a value out of a file."""

from __future__ import annotations

from typing import Type, TypeVar

Kind = TypeVar("Kind")


class AgentError(Exception):
    """Something an operator can act on: what happened, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refusal(AgentError):
    """A file that is left alone, because what an edit would do to it cannot be proved.

    `line` and `column` (in characters, from 1) say where; 0 where it is about the whole file.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column

    def at(self, path: str) -> str:
        """Give the sentence with the place: `file:line:column: what`."""
        place = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{place}: {self.message}"


def redacted(kind: Type[Kind]) -> Type[Kind]:
    """Give the class with a `repr` that shows no field: for what holds a token, or a file."""
    setattr(kind, "__repr__", lambda self: f"<{kind.__name__}>")  # noqa: B010
    return kind

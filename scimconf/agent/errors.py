"""The errors of the agent. Their text may be shown: it never holds a value from a file."""

from __future__ import annotations

from typing import Tuple, Type, TypeVar

Class = TypeVar("Class")


class AgentError(Exception):
    """An error that an operator can act on: what happened, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def sentence(self) -> str:
        """Return the message with the hint in parentheses."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Refusal(AgentError):
    """A file cannot be edited safely, so it is left unchanged.

    `line` and `column` (in characters, from 1) say where. They are 0 if the whole file is meant.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column

    def at(self, path: str) -> str:
        """Return the message with its place: `file:line:column: message`."""
        place = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{place}: {self.message}"


def as_agent_error(error: Exception) -> AgentError:
    """Return an AgentError as it is, and any other error without its text."""
    return error if isinstance(error, AgentError) else AgentError(*_described(error))


def _described(error: BaseException) -> Tuple[str, str]:
    """Return the type and place of an unexpected error, and a hint.

    The text of the error is left out, because it may hold a value.
    """
    trace, place = error.__traceback__, ""
    while trace:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    what = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        what = error.strerror
    return f"{what} (agent, {place})", "if the server is not the cause, please report this"


def redacted(kind: Type[Class]) -> Type[Class]:
    """Replace the `repr` of a class with one that shows no field: for tokens and file contents."""
    setattr(kind, "__repr__", lambda self: f"<{kind.__name__}>")  # noqa: B010
    return kind

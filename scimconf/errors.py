"""The errors of scimconf, with messages for operators, and their exit codes.

Every error that a user or a server can cause is a ScimconfError; `cli` is the only place that
turns one into a message on stderr and an exit code. Anything else that escapes is a bug.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

from scimconf.model import Problem


class ExitCode(IntEnum):
    """The codes that `scimconf` exits with (docs/exit-codes.md)."""

    OK = 0
    FAILED = 1
    PENDING = 2
    UNREACHABLE = 3
    ROLLED_BACK = 4
    ROLL_BACK_FAILED = 5
    USAGE = 64
    INTERRUPTED = 130


_WORST_FIRST = (
    ExitCode.USAGE,
    ExitCode.ROLL_BACK_FAILED,
    ExitCode.FAILED,
    ExitCode.ROLLED_BACK,
    ExitCode.INTERRUPTED,
    ExitCode.UNREACHABLE,
    ExitCode.PENDING,
    ExitCode.OK,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the worst of several codes; OK if there are none."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.OK)


class ScimconfError(Exception):
    """An error that an operator can act on: str() is what happened, `hint` what to do next."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def text(self) -> str:
        """The lines for stderr: the message, and the hint on an indented line."""
        hint = f"\n  -> {self.hint}" if self.hint else ""
        return f"error: {self.message}{hint}"


class UsageError(ScimconfError):
    """A wrong option, pattern, file or password, found before any server is changed."""

    exit_code = ExitCode.USAGE


class InventoryError(UsageError):
    """A file that cannot be used, with every problem in it."""

    def __init__(self, problems: Sequence[Problem], hint: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint)
        self.problems = tuple(problems)

    @property
    def text(self) -> str:
        """One `file:line:col: error: message` for each problem; see `Problem.text`."""
        return f"{self.message}\n-> {self.hint}" if self.hint else self.message


class HostError(ScimconfError):
    """One server cannot be used; the run continues with the others.

    `step` is the step that failed: "connect", "become", "observe", ... The caller adds the host.
    """

    def __init__(self, step: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.step = step


class Unreachable(HostError):
    """The server was not reached, or refused the login. Nothing on it was changed."""

    exit_code = ExitCode.UNREACHABLE


class Busy(HostError):
    """Another run is changing the server. Nothing was changed; try again later."""

    exit_code = ExitCode.UNREACHABLE


class Stopped(ScimconfError):
    """The person said no, or pressed Ctrl-C. The message describes the state of the servers."""

    exit_code = ExitCode.INTERRUPTED


def bug(error: Exception) -> ScimconfError:
    """Return the error for an unexpected exception, with its type and its place.

    Its message and its values are left out, because they may contain a token.
    """
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return ScimconfError(
        f"this is a bug in scimconf: {type(error).__name__} at {place}",
        "please report it with the command and its version; a change under way on a server "
        "finishes there by itself",
    )

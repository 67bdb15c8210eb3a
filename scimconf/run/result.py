"""The result of a run, and its exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scimconf.errors import ExitCode, worst
from scimconf.fleet.look import Looked, silenced
from scimconf.model import UNKNOWN_SCOPE, Outcome, Scope, Status, TokenDate
from scimconf.run.binding import way

_EXIT = {
    Status.OK: ExitCode.OK,
    Status.CHANGED: ExitCode.OK,
    Status.PENDING: ExitCode.PENDING,
    Status.ATTENTION: ExitCode.PENDING,
    Status.BUSY: ExitCode.UNREACHABLE,
    Status.UNREACHABLE: ExitCode.UNREACHABLE,
    Status.FAILED: ExitCode.FAILED,
    Status.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Status.ROLL_BACK_FAILED: ExitCode.ROLL_BACK_FAILED,
    Status.SPLIT: ExitCode.ROLL_BACK_FAILED,
    # A skipped server has pending changes. The reason for skipping it has its own exit code.
    Status.SKIPPED: ExitCode.PENDING,
}


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run of a verb; every report is derived from it."""

    verb: str
    outcomes: tuple[Outcome, ...] = ()
    """One for each selected server, in the order of the run."""
    interrupted: bool = False
    """Whether Ctrl-C was pressed."""
    unwritten: bool = False
    """Whether the token file could not be written after servers were changed."""
    notes: tuple[str, ...] = ()
    """Sentences about the run as a whole."""
    next: tuple[str, ...] = ()
    """Lines with the commands to run next."""
    codes: tuple[ExitCode, ...] = ()
    """Further exit codes: those of merged reports."""
    tokens: tuple[TokenDate, ...] = ()
    """When the tokens of the selected servers were created."""
    scope: Scope = UNKNOWN_SCOPE

    @property
    def exit_code(self) -> ExitCode:
        """The worst code: of all servers, of Ctrl-C, of the token file and of merged reports."""
        codes = [*self.codes, *(code for outcome in self.outcomes for code in _codes(outcome))]
        codes += [ExitCode.INTERRUPTED] if self.interrupted else []
        codes += [ExitCode.FAILED] if self.unwritten else []
        return worst(codes)


def described(looked: Sequence[Looked], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes, each with its server's position in the inventory and its `way` facts.

    Warnings that the inventory silences are removed.
    """
    by_name = {each.server.name: each for each in looked}
    return tuple(
        _described(outcome, each) if (each := by_name.get(outcome.server)) else outcome
        for outcome in outcomes
    )


def _described(outcome: Outcome, each: Looked) -> Outcome:
    server = each.server
    quiet = silenced(outcome, server)
    return replace(
        quiet,
        silenced=(*server.silenced, *quiet.silenced),
        way=way(server, each.reached),
        position=server.position,
    )


def _codes(outcome: Outcome) -> Iterator[ExitCode]:
    """Yield the exit codes of one server. An unmanaged realm always adds its own."""
    yield _EXIT[outcome.status]
    if outcome.plan and outcome.plan.unmanaged:
        yield ExitCode.PENDING

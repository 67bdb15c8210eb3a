"""Many servers at once: look at all, change those that need it, ask the public side.

One failing server never stops another of another deployment: whatever a server can cause ends as
its Outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from scimconf import unit
from scimconf.apply import apply
from scimconf.confirm import ask, with_checks
from scimconf.errors import ExitCode, worst
from scimconf.model import Desired, Outcome, Server, Status
from scimconf.pool import Pool
from scimconf.put_back import Verb, put_back
from scimconf.survey import Look, Opener, Surveyed, after_recovery, failure, planned, survey
from scimconf.tokens.keyring import Tokens
from scimconf.transact import OnStep

_EXIT = {
    Status.OK: ExitCode.OK,
    Status.CHANGED: ExitCode.OK,
    Status.PENDING: ExitCode.PENDING,
    Status.UNREACHABLE: ExitCode.UNREACHABLE,
    Status.FAILED: ExitCode.FAILED,
    Status.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Status.ROLL_BACK_FAILED: ExitCode.ROLL_BACK_FAILED,
    # Not begun: what kept it from being begun has a code of its own.
    Status.SKIPPED: ExitCode.PENDING,
}


class Watcher(Protocol):
    """Told what goes on while it goes on; called from several threads."""

    def step(self, server: str, name: str, doing: bool) -> None:
        """A step begins (`doing`) or has ended."""
        ...

    def done(self, server: str) -> None:
        """Nothing more will happen on this server for now."""
        ...


class Rollout:
    """One run over a fleet: at most `forks` servers at a time, nothing new after Ctrl-C."""

    def __init__(self, forks: int, watcher: Watcher) -> None:
        self.watcher = watcher
        self._pool = Pool(forks)

    @property
    def interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C: what was under way has ended, nothing new begins."""
        return self._pool.interrupted

    def exit_code(self, outcomes: Iterable[Outcome]) -> ExitCode:
        """Give the exit code that speaks for all the servers, and for Ctrl-C."""
        codes = [_EXIT[outcome.status] for outcome in outcomes]
        return worst([*codes, ExitCode.INTERRUPTED] if self.interrupted else codes)

    def survey(
        self, fleet: Sequence[Desired], open_agent: Opener, *, keep: bool, look: Look = planned
    ) -> list[Surveyed]:
        """Look at every server and plan it; in the order of `fleet`.

        With `keep`, the conversation with a server that has changes stays open, so that
        `carry_out` needs no second connection; whoever asks for that calls `closing.close()` of
        each.
        """

        def one(desired: Desired) -> Surveyed:
            self.watcher.step(desired.server.name, "observe", True)
            try:
                return survey(desired, open_agent, look, keep=keep)
            finally:
                self.watcher.done(desired.server.name)

        def skipped(desired: Desired) -> Surveyed:
            return Surveyed(desired, _not_begun(desired.server.name))

        return self._pool.each(fleet, one, skipped)

    def recover(self, surveyed: Sequence[Surveyed], lock_timeout: int) -> list[Surveyed]:
        """Put back what interrupted runs left, and look again; the other servers stay as they are.

        Call it before `carry_out` for what was looked at with `keep`.
        """

        def one(each: Surveyed) -> Surveyed:
            if each.agent is None or not each.interrupted:
                return each
            server = each.desired.server
            done = put_back(each.agent, server, "recover", "", self._on_step(server), lock_timeout)
            return after_recovery(each, done)

        return self._pool.each(surveyed, one, lambda each: each)

    def carry_out(
        self, surveyed: Sequence[Surveyed], tokens: Tokens, lock_timeout: int = 0
    ) -> list[Outcome]:
        """Apply the plan of each server that has one to carry out; the others keep their outcome.

        `tokens` holds the token of every realm that is to be present; `lock_timeout` is how many
        seconds to wait for another run on a server.
        """

        def change(each: Surveyed) -> Outcome:
            server = each.desired.server
            assert each.agent  # unit.carry_out sees to it
            assert each.plan
            assert each.observed
            return apply(
                each.agent,
                server,
                each.plan,
                each.observed,
                tokens[server.name],
                self._on_step(server),
                lock_timeout,
            )

        def take_back(each: Surveyed, done: Outcome) -> Outcome:
            return self._put_back(each, "undo", done.run, lock_timeout)

        return self._by_unit(surveyed, change, take_back)

    def put_back(self, surveyed: Sequence[Surveyed], verb: Verb) -> list[Outcome]:
        """Undo or recover each server that has something to; the others keep their outcome."""

        def change(each: Surveyed) -> Outcome:
            done = self._put_back(each, verb, each.outcome.run)
            return replace(done, plan=done.plan or each.plan)

        return self._by_unit(surveyed, change, None)

    def _put_back(self, each: Surveyed, verb: Verb, run: str, lock_timeout: int = 0) -> Outcome:
        assert each.agent
        server = each.desired.server
        return put_back(each.agent, server, verb, run, self._on_step(server), lock_timeout)

    def _by_unit(
        self,
        surveyed: Sequence[Surveyed],
        change: unit.Change,
        take_back: unit.TakeBack | None,
    ) -> list[Outcome]:
        """Change unit by unit; gives the outcomes in the order of `surveyed`."""

        def one(servers: Sequence[Surveyed]) -> list[Outcome]:
            try:
                return unit.carry_out(servers, change, take_back)
            finally:
                for each in servers:
                    each.closing.close()
                    self.watcher.done(each.outcome.server)

        def skipped(servers: Sequence[Surveyed]) -> list[Outcome]:
            for each in servers:
                each.closing.close()
            return [
                replace(_not_begun(each.outcome.server), plan=each.plan)
                if each.agent
                else each.outcome
                for each in servers
            ]

        done = self._pool.each(unit.units(surveyed), one, skipped)
        by_name = {outcome.server: outcome for outcomes in done for outcome in outcomes}
        return [by_name[each.outcome.server] for each in surveyed]

    def _on_step(self, server: Server) -> OnStep:
        return lambda name, doing: self.watcher.step(server.name, name, doing)

    def confirm(
        self,
        surveyed: Sequence[Surveyed],
        outcomes: Sequence[Outcome],
        tokens: Tokens,
        *,
        standing: Status,
        answers: int = 1,
    ) -> list[Outcome]:
        """Ask the public side of every server that is `standing`, as its provider would.

        `answers`: how many good ones in a row are wanted; several after a restart. A public URL
        that is not reached is a warning; one that answers wrongly makes the server a failed one,
        but is no reason to go back: Zulip itself has answered rightly by then.
        """

        def one(each: tuple[Surveyed, Outcome]) -> Outcome:
            looked, outcome = each
            server = looked.desired.server
            if outcome.status is not standing or not server.verify or looked.observed is None:
                return outcome
            self.watcher.step(server.name, "verify", True)
            try:
                checks = tuple(ask(server, looked.observed, tokens[server.name], answers))
                return with_checks(outcome, checks)
            except Exception as error:
                return replace(failure(server.name, error), plan=outcome.plan)
            finally:
                self.watcher.done(server.name)

        return self._pool.each(
            list(zip(surveyed, outcomes, strict=True)), one, lambda each: each[1]
        )


def _not_begun(name: str) -> Outcome:
    return Outcome(name, Status.SKIPPED, "not begun: interrupted")

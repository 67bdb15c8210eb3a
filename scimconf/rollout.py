"""Many servers at once: look at all, change those that need it, ask the public side.

Whatever a server can cause ends as its Outcome. One failing server stops none of another
deployment, unless the strategy says so (docs/rollouts.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from threading import Semaphore
from typing import Protocol

from scimconf import unit
from scimconf.batches import Strategy
from scimconf.errors import ExitCode, worst
from scimconf.model import Desired, Outcome, Position, Server, Status, WayFact
from scimconf.pool import Pool
from scimconf.put_back import Verb, put_back
from scimconf.sanitize import one_line
from scimconf.survey import (
    Look,
    Opener,
    Surveyed,
    after_recovery,
    failure,
    planned,
    reopen,
    survey,
)
from scimconf.tokens.keyring import Tokens
from scimconf.transact import OnStep
from scimconf.way import way

_EXIT = {
    Status.OK: ExitCode.OK,
    Status.CHANGED: ExitCode.OK,
    Status.PENDING: ExitCode.PENDING,
    Status.BUSY: ExitCode.UNREACHABLE,
    Status.UNREACHABLE: ExitCode.UNREACHABLE,
    Status.FAILED: ExitCode.FAILED,
    Status.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Status.ROLL_BACK_FAILED: ExitCode.ROLL_BACK_FAILED,
    # Not begun: what kept it from being begun has a code of its own.
    Status.SKIPPED: ExitCode.PENDING,
}

_BAD = (
    Status.BUSY,
    Status.UNREACHABLE,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.ROLL_BACK_FAILED,
)
_MOST_KEPT = 200
"""Conversations that are kept open from the look to the change, three descriptors each; 1,024 is
what a process may usually have. The rest is opened once more."""
_LONGEST_PAUSE = 30.0
"""Seconds."""
_BUSY_PAUSE = 1.0
"""Seconds between two looks at a server where another run is at work."""
_AT_ONCE = Strategy()
_INTERRUPTED = ("interrupted", "")


class Watcher(Protocol):
    """Told what goes on while it goes on; called from several threads."""

    def step(self, server: str, name: str, doing: bool) -> None:
        """A step begins (`doing`) or has ended."""
        ...

    def done(self, server: str) -> None:
        """Nothing more will happen on this server for now."""
        ...


class Rollout:
    """One run over a fleet: at most `forks` servers at a time, nothing new after Ctrl-C.

    `retries`: how often a server that is not reached is tried again, before anything was asked of
    it but how it is.
    """

    def __init__(self, forks: int, watcher: Watcher, retries: int = 0) -> None:
        self.watcher = watcher
        self._pool = Pool(forks)
        self._retries = retries
        self._room = Semaphore(_MOST_KEPT)
        self.positions: dict[str, Position] = {}
        """Where the inventory names the servers that were looked at."""
        self.ways: dict[str, tuple[WayFact, ...]] = {}
        """How each of them is reached, and what runs there."""

    @property
    def interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C: what was under way has ended, nothing new begins."""
        return self._pool.interrupted

    def exit_code(self, outcomes: Iterable[Outcome]) -> ExitCode:
        """Give the exit code that speaks for all the servers, and for Ctrl-C."""
        codes = [code for outcome in outcomes for code in _codes(outcome)]
        return worst([*codes, ExitCode.INTERRUPTED] if self.interrupted else codes)

    # --- looking ------------------------------------------------------------------------------

    def survey(
        self,
        fleet: Sequence[Desired],
        open_agent: Opener,
        *,
        keep: bool,
        look: Look = planned,
        lock_timeout: int = 0,
    ) -> list[Surveyed]:
        """Look at every server and plan it; in the order of `fleet`.

        With `keep`, the conversation with a server that has changes stays open (200 of them do), so
        that `carry_out` needs no second connection; whoever asks for that calls `closing.close()`
        of each. A server where another run is at work is looked at again until that run has ended,
        for at most `lock_timeout` seconds.
        """

        servers = [desired.server for desired in fleet]
        self.positions |= {each.name: each.position for each in servers if each.position}

        def one(desired: Desired) -> Surveyed:
            kept = keep and self._room.acquire(blocking=False)
            self.watcher.step(desired.server.name, "observe", True)
            try:
                looked = self._outwait(
                    lambda: self._persist(lambda: survey(desired, open_agent, look, keep=kept)),
                    lock_timeout,
                )
            finally:
                self.watcher.done(desired.server.name)
            self.ways[desired.server.name] = way(desired.server, looked.reached)
            if kept and looked.agent is None:
                self._room.release()
            return looked

        def skipped(desired: Desired) -> Surveyed:
            return Surveyed(desired, _not_begun(desired.server.name, *_INTERRUPTED))

        return self._pool.each(fleet, one, skipped)

    def _persist(self, attempt: Callable[[], Surveyed]) -> Surveyed:
        """Try once, and again after a pause where the server was not reached."""
        looked = attempt()
        for tried, pause in enumerate(_pauses(self._retries), 2):
            name = looked.outcome.server
            if not looked.may_pass:
                break
            self.watcher.step(name, f"not reached, again in {pause:g} s", True)
            if not self._pool.pause(pause):
                break
            looked = attempt()
            if looked.may_pass:
                said = f"{looked.outcome.message} (tried {tried} times)"
                looked = replace(looked, outcome=replace(looked.outcome, message=said))
        return looked

    def _outwait(self, attempt: Callable[[], Surveyed], seconds: int) -> Surveyed:
        """Look, and look again while another run is at work there, for at most so long."""
        until = time.monotonic() + seconds
        looked = attempt()
        while looked.outcome.status is Status.BUSY:
            left = until - time.monotonic()
            busy = one_line(looked.plan.busy, 200) if looked.plan else ""
            if left <= 0:
                break
            self.watcher.step(looked.outcome.server, f"lock: waiting for {busy}", True)
            if not self._pool.pause(min(_BUSY_PAUSE, left)):
                break
            looked = attempt()
        return looked

    # --- changing -----------------------------------------------------------------------------

    def recover(self, surveyed: Sequence[Surveyed], lock_timeout: int) -> list[Surveyed]:
        """Put back what interrupted runs left, and look again; the other servers stay as they are.

        Call it before `carry_out` for what was looked at with `keep`.
        """

        def one(each: Surveyed) -> Surveyed:
            if not each.interrupted:
                return each
            ready = self._open(each)
            if ready.agent is None:
                return ready
            done = self._put_back(ready, "recover", "", lock_timeout)
            return after_recovery(ready, done)

        return self._pool.each(surveyed, one, lambda each: each)

    def carry_out(
        self,
        surveyed: Sequence[Surveyed],
        tokens: Tokens,
        lock_timeout: int = 0,
        strategy: Strategy = _AT_ONCE,
        answers: int = 0,
    ) -> list[Outcome]:
        """Apply the plan of each server that has one to carry out; the others keep their outcome.

        `tokens` holds the token of every realm that is to be present; `lock_timeout` is how many
        seconds to wait for another run on a server. `answers`: how many good ones in a row are
        wanted from the public side after a change; 0: it is not asked.
        """

        from scimconf.apply import apply
        from scimconf.confirm import proved

        def change(each: Surveyed) -> Outcome:
            server = each.desired.server
            assert each.agent  # _open sees to it
            assert each.plan
            assert each.observed
            return apply(
                each.agent,
                each.desired,
                each.plan,
                each.observed,
                tokens[server.name],
                self._on_step(server),
                lock_timeout,
            )

        def take_back(each: Surveyed, done: Outcome) -> Outcome:
            return self._put_back(each, "undo", done.run, lock_timeout)

        def one(servers: Sequence[Surveyed]) -> list[Outcome]:
            outcomes = self._change(servers, change, take_back)
            if answers and not self.interrupted:
                outcomes = [
                    self._confirm(each, outcome, tokens, Status.CHANGED, answers)
                    for each, outcome in zip(servers, outcomes, strict=True)
                ]
            return [
                proved(each.desired.server, outcome)
                for each, outcome in zip(servers, outcomes, strict=True)
            ]

        return self._by_batch(surveyed, one, strategy)

    def put_back(self, surveyed: Sequence[Surveyed], verb: Verb) -> list[Outcome]:
        """Undo or recover each server that has something to; the others keep their outcome."""
        from scimconf.confirm import proved

        def change(each: Surveyed) -> Outcome:
            done = self._put_back(each, verb, each.outcome.run)
            return replace(done, plan=done.plan or each.plan)

        def one(servers: Sequence[Surveyed]) -> list[Outcome]:
            outcomes = self._change(servers, change, None)
            return [
                proved(each.desired.server, outcome)
                for each, outcome in zip(servers, outcomes, strict=True)
            ]

        return self._by_batch(surveyed, one, _AT_ONCE)

    def _put_back(self, each: Surveyed, verb: Verb, run: str, lock_timeout: int = 0) -> Outcome:
        assert each.agent
        server = each.desired.server
        return put_back(each.agent, server, verb, run, self._on_step(server), lock_timeout)

    def _open(self, each: Surveyed) -> Surveyed:
        if each.pending and not each.agent:
            self.watcher.step(each.outcome.server, "connect", True)
        return self._persist(lambda: reopen(each))

    def _change(
        self, servers: Sequence[Surveyed], change: unit.Change, take_back: unit.TakeBack | None
    ) -> list[Outcome]:
        """Change the servers of one deployment; all of them are reached before the first change."""
        ready: list[Surveyed] = []
        try:
            for each in servers:
                ready.append(self._open(each))
            return unit.carry_out(ready, change, take_back)
        finally:
            for each in ready:
                each.closing.close()
                self.watcher.done(each.outcome.server)

    def _by_batch(
        self,
        surveyed: Sequence[Surveyed],
        work: Callable[[Sequence[Surveyed]], list[Outcome]],
        strategy: Strategy,
    ) -> list[Outcome]:
        """Do the work on each deployment, batch by batch; gives the outcomes in that order."""
        outcomes = {each.outcome.server: each.outcome for each in surveyed}
        failed = [each for each in outcomes.values() if each.status in _BAD and strategy.max_fail]
        batches = strategy.batches(unit.to_change(surveyed), len(surveyed))
        for batch in batches[1:]:  # a link that is idle for long breaks
            batch[:] = [[each.hang_up() for each in servers] for servers in batch]

        def one(servers: Sequence[Surveyed]) -> list[Outcome]:
            if not strategy.next_unit_may_begin(len(failed), len(surveyed)):
                return skipped(servers)
            done = work(servers)
            begun = zip(servers, done, strict=True)
            failed.extend(
                outcome for each, outcome in begun if each.pending and outcome.status in _BAD
            )
            return done

        def skipped(servers: Sequence[Surveyed]) -> list[Outcome]:
            why, hint = _INTERRUPTED if self.interrupted else _too_many(failed)
            return [_left_out(each.hang_up(), why, hint) for each in servers]

        for number, batch in enumerate(batches):
            goes_on = not number or strategy.next_batch_may_begin(len(failed), len(surveyed))
            for done in self._pool.each(batch, one if goes_on else skipped, skipped):
                outcomes.update((outcome.server, outcome) for outcome in done)
        return [outcomes[each.outcome.server] for each in surveyed]

    def _on_step(self, server: Server) -> OnStep:
        return lambda name, doing: self.watcher.step(server.name, name, doing)

    # --- the public side ----------------------------------------------------------------------

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
        that is not reached is a warning; one that answers wrongly, or with a certificate that a
        provider would refuse, makes the server a failed one, but is no reason to go back: Zulip
        itself has answered rightly by then.
        """

        def one(each: tuple[Surveyed, Outcome]) -> Outcome:
            return self._confirm(*each, tokens, standing, answers)

        return self._pool.each(
            list(zip(surveyed, outcomes, strict=True)), one, lambda each: each[1]
        )

    def _confirm(
        self, looked: Surveyed, outcome: Outcome, tokens: Tokens, standing: Status, answers: int
    ) -> Outcome:
        server = looked.desired.server
        if outcome.status is not standing or not server.verify or looked.observed is None:
            return outcome
        from scimconf.confirm import ask, with_checks

        self.watcher.step(server.name, "verify", True)
        try:
            checks = tuple(ask(server, looked.observed, tokens[server.name], answers))
            return with_checks(outcome, checks)
        except Exception as error:
            return replace(failure(server.name, error), plan=outcome.plan)
        finally:
            self.watcher.done(server.name)


def _codes(outcome: Outcome) -> Iterator[ExitCode]:
    """Return the codes of one server; an unmanaged realm is one whatever else was done there."""
    yield _EXIT[outcome.status]
    if outcome.plan and outcome.plan.unmanaged:
        yield ExitCode.PENDING


def _pauses(retries: int) -> Iterator[float]:
    """Give 1, 2, 4, ... seconds."""
    for number in range(retries):
        yield min(2.0**number, _LONGEST_PAUSE)


def _left_out(each: Surveyed, why: str, hint: str) -> Outcome:
    if not each.pending:
        return each.outcome
    return replace(_not_begun(each.outcome.server, why, hint), plan=each.plan)


def _not_begun(name: str, why: str, hint: str) -> Outcome:
    return Outcome(name, Status.SKIPPED, f"not begun: {why}", hint)


def _too_many(failed: Sequence[Outcome]) -> tuple[str, str]:
    """Give why no more is begun, and what to do."""
    first = ", ".join(f"{each.server} is {each.status.value}" for each in failed[:3])
    more = f", and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"{first}{more}", "put that right and apply again; --max-fail says how many may fail"

"""Observe many servers at the same time, then change those that need it.

Every error of a server becomes its Outcome. A failed server does not stop other deployments, unless
the strategy says so (docs/rollouts.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

from scimconf.errors import ScimconfError, bug
from scimconf.fleet.batches import Strategy
from scimconf.fleet.checks import TrialUser, not_checked
from scimconf.fleet.deployment import RollBack, to_change
from scimconf.fleet.job import (
    Apply,
    Changed,
    CheckPublic,
    Job,
    Note,
    Observe,
    Recover,
    RollBackOne,
    Runner,
    UndoOrRecover,
)
from scimconf.fleet.look import Look, Looked, planned
from scimconf.fleet.observe import Agent
from scimconf.fleet.pool import Pool
from scimconf.fleet.undo import Verb
from scimconf.fleet.watcher import Watcher
from scimconf.model import Desired, Outcome, Server, Status
from scimconf.plan.proof import proved
from scimconf.sanitize import one_line
from scimconf.tokens.keyring import Tokens

_BAD = (
    Status.BUSY,
    Status.UNREACHABLE,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.ROLL_BACK_FAILED,
    Status.SPLIT,
)
_LONGEST_PAUSE = 30.0
"""Seconds."""
_BUSY_PAUSE = 1.0
"""Seconds before a server is observed again while another run is changing it."""
_ALL_AT_ONCE = Strategy()
_INTERRUPTED = ("interrupted", "")


Answer = TypeVar("Answer")
Attempt = TypeVar("Attempt", Looked, Changed)


Around = Callable[[Sequence[Looked], Callable[[], list[Outcome]], RollBack, Watcher], list[Outcome]]
"""Does a deployment's change, which is its second argument, and what belongs before and after it.

It can undo the change of a server with its third argument."""


class Fleet:
    """Work on the servers of a run, at most `forks` at a time. After Ctrl-C, no new one starts.

    `runner`: does the work on each server or deployment. `retries`: how often to retry an
    unreachable server. It is retried only before its change.
    """

    def __init__(self, runner: Runner, forks: int, retries: int = 0) -> None:
        self._runner = runner
        self._pool = Pool(forks)
        self._retries = retries

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed. Then servers in progress finish, and no new one starts."""
        return self._pool.interrupted

    def hang_up(self, servers: Iterable[Server]) -> None:
        """Close the conversations with these servers. A later step connects again."""
        self._runner.hang_up(servers)

    def pause(self, seconds: float) -> bool:
        """Wait; return False if Ctrl-C ended the wait."""
        return self._pool.pause(seconds)

    def interruptible(self) -> AbstractContextManager[None]:
        """Let the first Ctrl-C during `with` only set `interrupted`."""
        return self._pool.interruptible()

    def ask(
        self, servers: Sequence[Server], question: Callable[[Agent, Server], Answer]
    ) -> list[Answer | ScimconfError | None]:
        """Ask the servers a question at the same time, and keep the conversations open.

        An error is the answer of its server. None: Ctrl-C was pressed before.
        """

        def one(server: Server) -> Answer | ScimconfError | None:
            try:
                return self._runner.ask(server, question)
            except Exception as error:
                self._runner.hang_up([server])  # the next question connects again
                return error if isinstance(error, ScimconfError) else bug(error)

        return self._pool.each(servers, one, lambda server: None)

    # --- look -----------------------------------------------------------------------------------

    def look(
        self,
        fleet: Sequence[Desired],
        watcher: Watcher,
        *,
        keep: bool = False,
        look: Look = planned,
        lock_timeout: int = 0,
        step: str = "observe",
    ) -> list[Looked]:
        """Observe every server; return the results in the order of `fleet`.

        With `keep`, the conversations with servers to change stay open. While another run is
        changing a server, it is observed again, for at most `lock_timeout` seconds. `step`: what
        the progress shows.
        """

        def one(desired: Desired) -> Looked:
            watcher.step(desired.server.name, step, True)
            try:
                job = Observe(desired, look, keep)
                return self._wait_for_other_runs(
                    lambda: self._with_retries(job, watcher), lock_timeout, watcher
                )
            finally:
                watcher.done(desired.server.name)

        def skipped(desired: Desired) -> Looked:
            return Looked(desired, _skipped(desired.server.name, *_INTERRUPTED))

        return self._pool.each(fleet, one, skipped)

    def _with_retries(self, job: Job[Attempt], watcher: Watcher) -> Attempt:
        """Do the job. If its server was not reached, retry after a pause."""
        done = self._runner.do(job, watcher)
        for tried, pause in enumerate(_pauses(self._retries), 2):
            if not done.retryable:
                break
            watcher.step(job.servers[0].name, f"unreachable, retry in {pause:g} s", True)
            if not self._pool.pause(pause):
                break
            done = _tried(self._runner.do(job, watcher), tried)
        return done

    def _wait_for_other_runs(
        self, attempt: Callable[[], Looked], seconds: int, watcher: Watcher
    ) -> Looked:
        """Observe, and repeat while another run is changing the server, for at most `seconds`."""
        until = time.monotonic() + seconds
        looked = attempt()
        while looked.outcome.status is Status.BUSY:
            left = until - time.monotonic()
            busy = one_line(looked.plan.busy or "", 200) if looked.plan else ""
            if left <= 0:
                break
            watcher.step(looked.server.name, f"lock: waiting for {busy}", True)
            if not self._pool.pause(min(_BUSY_PAUSE, left)):
                break
            looked = attempt()
        return looked

    # --- change ---------------------------------------------------------------------------------

    def recover(
        self, looked: Sequence[Looked], watcher: Watcher, lock_timeout: int
    ) -> list[Looked]:
        """Roll back interrupted runs, and observe those servers again. Return all servers."""

        def one(each: Looked) -> Looked:
            if not each.interrupted:
                return each
            return self._with_retries(Recover(each, lock_timeout), watcher)

        return self._pool.each(looked, one, lambda each: each)

    def change(
        self,
        looked: Sequence[Looked],
        tokens: Tokens,
        watcher: Watcher,
        *,
        lock_timeout: int = 0,
        strategy: Strategy = _ALL_AT_ONCE,
        answers: int = 0,
        around: Around = lambda servers, change, undo, watcher: change(),
    ) -> list[Outcome]:
        """Carry out the plan of each server that has changes; the others keep their outcome.

        `tokens`: the token of every realm that must be present. `lock_timeout`: seconds to wait
        for another run on a server. `answers`: how many good answers of its public URLs a changed
        server needs before the next batch; 0: they are not checked. `around` does the change of a
        deployment.
        """

        def undo(each: Looked, done: Outcome) -> Outcome:
            return self._runner.do(RollBackOne(each, done.run, lock_timeout), watcher)

        def one(servers: Sequence[Looked]) -> list[Outcome]:
            own = {each.server.name: tokens[each.server.name] for each in servers if each.pending}

            def do() -> list[Outcome]:
                job = Apply(tuple(servers), own, lock_timeout)
                return list(self._with_retries(job, watcher).outcomes)

            outcomes = around(servers, do, undo, watcher)
            for each in servers:
                watcher.done(each.server.name)
            pairs = zip(servers, outcomes, strict=True)
            return _proved(
                servers,
                [self._checked(*pair, own, Status.CHANGED, answers, watcher) for pair in pairs],
            )

        return self._by_batch(looked, one, strategy, watcher)

    def note(
        self,
        each: Looked,
        turns: Mapping[str, tuple[str, str]],
        watcher: Watcher,
        lock_timeout: int = 0,
    ) -> Outcome:
        """Change the notes about deliveries on a server. `turns`: see Note."""
        return self._runner.do(Note(each, turns, lock_timeout), watcher)

    def undo_or_recover(
        self, looked: Sequence[Looked], verb: Verb, watcher: Watcher
    ) -> list[Outcome]:
        """Undo or recover each server that has changes pending; the others keep their outcome."""

        def one(servers: Sequence[Looked]) -> list[Outcome]:
            changed = self._with_retries(UndoOrRecover(tuple(servers), verb), watcher)
            return _proved(servers, changed.outcomes)

        return self._by_batch(looked, one, _ALL_AT_ONCE, watcher)

    def _by_batch(
        self,
        looked: Sequence[Looked],
        work: Callable[[Sequence[Looked]], list[Outcome]],
        strategy: Strategy,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Do the work on each deployment, batch by batch. Keep the order of `looked`."""
        outcomes = {each.server.name: each.outcome for each in looked}
        failed = [each for each in outcomes.values() if each.status in _BAD and strategy.max_fail]
        batches = strategy.batches(to_change(looked), len(looked))
        for batch in batches[1:]:  # a connection that is idle for a long time can break
            self.hang_up(each.server for servers in batch for each in servers)

        def one(servers: Sequence[Looked]) -> list[Outcome]:
            if not strategy.next_deployment_may_begin(len(failed), len(looked)):
                return skipped(servers)
            done = work(servers)
            begun = zip(servers, done, strict=True)
            failed.extend(
                outcome for each, outcome in begun if each.pending and outcome.status in _BAD
            )
            return done

        def skipped(servers: Sequence[Looked]) -> list[Outcome]:
            why, hint = _INTERRUPTED if self.interrupted else _too_many(failed)
            self.hang_up(each.server for each in servers)
            return [
                replace(_skipped(each.server.name, why, hint), plan=each.plan)
                if each.pending
                else each.outcome
                for each in servers
            ]

        for number, batch in enumerate(batches):
            continues = not number or strategy.next_batch_may_begin(len(failed), len(looked))
            for done in self._pool.each(batch, one if continues else skipped, skipped):
                outcomes.update((outcome.server, outcome) for outcome in done)
        return [outcomes[each.server.name] for each in looked]

    # --- check ----------------------------------------------------------------------------------

    def check(
        self,
        looked: Sequence[Looked],
        outcomes: Sequence[Outcome],
        tokens: Tokens,
        watcher: Watcher,
        *,
        wanted: Status = Status.OK,
        test_user: TrialUser | None = None,
    ) -> list[Outcome]:
        """Check the public URLs of each server with the outcome `wanted`; return all outcomes.

        After Ctrl-C, nothing more is sent; the outcomes say so. `test_user`: also try this user.
        """

        def one(each: tuple[Looked, Outcome]) -> Outcome:
            return self._checked(*each, tokens, wanted, 1, watcher, test_user)

        return self._pool.each(list(zip(looked, outcomes, strict=True)), one, one)

    def each(
        self,
        looked: Sequence[Looked],
        outcomes: Sequence[Outcome],
        work: Callable[[Looked, Outcome, Watcher], Outcome],
        watcher: Watcher,
    ) -> list[Outcome]:
        """Do the work for each server in this process; return the new outcomes.

        It is called after Ctrl-C too, to say what was left out.
        """

        def one(each: tuple[Looked, Outcome]) -> Outcome:
            return work(*each, watcher)

        return self._pool.each(list(zip(looked, outcomes, strict=True)), one, one)

    def _checked(
        self,
        each: Looked,
        outcome: Outcome,
        tokens: Tokens,
        wanted: Status,
        answers: int,
        watcher: Watcher,
        test_user: TrialUser | None = None,
    ) -> Outcome:
        is_asked = answers and outcome.status is wanted and each.server.verify
        if not is_asked or each.observed is None:
            return outcome
        if self.interrupted:
            return not_checked(each, outcome)
        own = tokens[each.server.name]
        job = CheckPublic(each, outcome, own, answers, test_user, lambda: self.interrupted)
        return self._runner.do(job, watcher)


def _proved(servers: Sequence[Looked], outcomes: Sequence[Outcome]) -> list[Outcome]:
    pairs = zip(servers, outcomes, strict=True)
    return [proved(each.server, outcome) for each, outcome in pairs]


def _tried(done: Attempt, times: int) -> Attempt:
    """Add the number of attempts to the message of a server that was not reached."""
    if not done.retryable:
        return done
    if isinstance(done, Looked):
        return replace(done, outcome=_with_attempts(done.outcome, times))
    outcomes = (
        _with_attempts(each, times) if each.server in done.unreached else each
        for each in done.outcomes
    )
    return replace(done, outcomes=tuple(outcomes))


def _with_attempts(outcome: Outcome, times: int) -> Outcome:
    return replace(outcome, message=f"{outcome.message} (tried {times} times)")


def _pauses(retries: int) -> Iterator[float]:
    """Yield the pauses before retries: 1, 2, 4, ... seconds."""
    for number in range(retries):
        yield min(2.0**number, _LONGEST_PAUSE)


def _skipped(name: str, why: str, hint: str) -> Outcome:
    return Outcome(name, Status.SKIPPED, f"not started: {why}", hint)


def _too_many(failed: Sequence[Outcome]) -> tuple[str, str]:
    """Return the reason for skipping the other servers, and a hint."""
    first = ", ".join(f"{each.server} is {each.status.value}" for each in failed[:3])
    more = f", and {len(failed) - 3} more" if len(failed) > 3 else ""
    hint = "fix these, then run the command again; --max-fail sets how many servers may fail"
    return f"{first}{more}", hint

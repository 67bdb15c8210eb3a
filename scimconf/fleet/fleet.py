"""Observe many servers at the same time, then change those that need it.

Every error of a server becomes its Outcome. A failed server does not stop other deployments, unless
the strategy says so (docs/rollouts.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

from scimconf.errors import ScimconfError, bug
from scimconf.fleet.batches import Strategy
from scimconf.fleet.change import change
from scimconf.fleet.connections import Connections
from scimconf.fleet.deployment import Change, RollBack, change_deployment, to_change
from scimconf.fleet.look import (
    Look,
    Looked,
    connect,
    failure,
    look_after_recovery,
    look_at,
    planned,
)
from scimconf.fleet.observe import Agent
from scimconf.fleet.pool import Pool
from scimconf.fleet.transact import OnStep
from scimconf.fleet.undo import Verb, undo_or_recover
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

Check = Callable[[Looked, Outcome, Watcher], Outcome]
"""Checks the public URLs of a server; returns its outcome with the checks.

It is called after Ctrl-C too, to say that the public URLs were not checked."""


Around = Callable[[Sequence[Looked], Callable[[], list[Outcome]], RollBack, Watcher], list[Outcome]]
"""Does a deployment's change, which is its second argument, and what belongs before and after it.

It can undo the change of a server with its third argument."""


class Fleet:
    """Work on the servers of a run, at most `forks` at a time. After Ctrl-C, no new one starts.

    `retries`: how often to retry an unreachable server. It is retried only before its change.
    """

    def __init__(self, connections: Connections, forks: int, retries: int = 0) -> None:
        self._connections = connections
        self._pool = Pool(forks)
        self._retries = retries

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed. Then servers in progress finish, and no new one starts."""
        return self._pool.interrupted

    def hang_up(self, servers: Iterable[Server]) -> None:
        """Close the conversations with these servers. A later step connects again."""
        for server in servers:
            self._connections.close(server)

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
                return question(self._connections.open(server), server)
            except Exception as error:
                self._connections.close(server)  # the next question connects again
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
                return self._wait_for_other_runs(
                    lambda: self._retry(
                        lambda: look_at(desired, self._connections, look, keep=keep), watcher
                    ),
                    lock_timeout,
                    watcher,
                )
            finally:
                watcher.done(desired.server.name)

        def skipped(desired: Desired) -> Looked:
            return Looked(desired, _skipped(desired.server.name, *_INTERRUPTED))

        return self._pool.each(fleet, one, skipped)

    def _retry(self, attempt: Callable[[], Looked], watcher: Watcher) -> Looked:
        """Try once. If the server was not reached, retry after a pause."""
        looked = attempt()
        for tried, pause in enumerate(_pauses(self._retries), 2):
            if not looked.retryable:
                break
            watcher.step(looked.server.name, f"unreachable, retry in {pause:g} s", True)
            if not self._pool.pause(pause):
                break
            looked = attempt()
            if looked.retryable:
                said = f"{looked.outcome.message} (tried {tried} times)"
                looked = replace(looked, outcome=replace(looked.outcome, message=said))
        return looked

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
            ready = self._connect(each, watcher)
            if not ready.interrupted:
                return ready
            done = self._roll_back(ready, "recover", "", watcher, lock_timeout)
            return look_after_recovery(ready, done, self._connections)

        return self._pool.each(looked, one, lambda each: each)

    def change(
        self,
        looked: Sequence[Looked],
        tokens: Tokens,
        watcher: Watcher,
        *,
        lock_timeout: int = 0,
        strategy: Strategy = _ALL_AT_ONCE,
        check: Check = lambda each, outcome, watcher: outcome,
        around: Around = lambda servers, change, undo, watcher: change(),
    ) -> list[Outcome]:
        """Carry out the plan of each server that has changes; the others keep their outcome.

        `tokens`: the token of every realm that must be present. `lock_timeout`: seconds to wait
        for another run on a server. `around` does the change of a deployment. `check` is called for
        each server before the next batch.
        """

        def change_one(each: Looked) -> Outcome:
            if each.plan is None or each.observed is None:
                return each.outcome
            return change(
                self._connections.open(each.server),
                each.desired,
                each.plan,
                each.observed,
                tokens[each.server.name],
                _on_step(each.server, watcher),
                lock_timeout,
            )

        def roll_back(each: Looked, done: Outcome) -> Outcome:
            return self._roll_back(each, "undo", done.run, watcher, lock_timeout)

        def undo(each: Looked, done: Outcome) -> Outcome:
            try:
                return roll_back(each, done)
            except Exception as error:
                return failure(each.server.name, error)
            finally:
                self._connections.close(each.server)

        def one(servers: Sequence[Looked]) -> list[Outcome]:
            def do() -> list[Outcome]:
                return self._change(servers, change_one, roll_back, watcher)

            outcomes = around(servers, do, undo, watcher)
            for each in servers:
                watcher.done(each.server.name)
            checked = [
                check(each, outcome, watcher)
                for each, outcome in zip(servers, outcomes, strict=True)
            ]
            return _proved(servers, checked)

        return self._by_batch(looked, one, strategy, watcher)

    def undo_or_recover(
        self, looked: Sequence[Looked], verb: Verb, watcher: Watcher
    ) -> list[Outcome]:
        """Undo or recover each server that has changes pending; the others keep their outcome."""

        def change_one(each: Looked) -> Outcome:
            done = self._roll_back(each, verb, each.outcome.run, watcher)
            return replace(done, plan=done.plan or each.plan)

        def one(servers: Sequence[Looked]) -> list[Outcome]:
            return _proved(servers, self._change(servers, change_one, None, watcher))

        return self._by_batch(looked, one, _ALL_AT_ONCE, watcher)

    def _roll_back(
        self, each: Looked, verb: Verb, run: str, watcher: Watcher, lock_timeout: int = 0
    ) -> Outcome:
        agent = self._connections.open(each.server)
        return undo_or_recover(
            agent, each.server, verb, run, _on_step(each.server, watcher), lock_timeout
        )

    def _connect(self, each: Looked, watcher: Watcher) -> Looked:
        if each.pending and not self._connections.is_open(each.server):
            watcher.step(each.server.name, "connect", True)
        return self._retry(lambda: connect(each, self._connections), watcher)

    def _change(
        self,
        servers: Sequence[Looked],
        change_one: Change,
        roll_back: RollBack | None,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Change the servers of a deployment. Connect to all of them before the first change."""
        try:
            ready = [self._connect(each, watcher) for each in servers]
            return change_deployment(ready, change_one, roll_back)
        finally:
            for each in servers:
                self._connections.close(each.server)
                watcher.done(each.server.name)

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
        check: Check,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Check the public URLs of every server; return the outcomes with the checks."""

        def one(each: tuple[Looked, Outcome]) -> Outcome:
            return check(*each, watcher)

        return self._pool.each(list(zip(looked, outcomes, strict=True)), one, one)


def _proved(servers: Sequence[Looked], outcomes: Sequence[Outcome]) -> list[Outcome]:
    pairs = zip(servers, outcomes, strict=True)
    return [proved(each.server, outcome) for each, outcome in pairs]


def _on_step(server: Server, watcher: Watcher) -> OnStep:
    return lambda name, doing: watcher.step(server.name, name, doing)


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

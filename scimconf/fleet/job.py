"""What a run asks of a server or of a deployment, as values: the jobs of a run.

A job says what to do. Where it is done is the choice of a Runner: `Here` does it in the thread that
asks, with the open conversations of the run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from scimconf.errors import Unreachable
from scimconf.fleet.change import change
from scimconf.fleet.checks import TrialUser, check, with_checks
from scimconf.fleet.connections import Connections
from scimconf.fleet.deployment import Change, RollBack, change_deployment
from scimconf.fleet.look import Look, Looked, connect, failure, look_after_recovery, look_at
from scimconf.fleet.observe import Agent
from scimconf.fleet.transact import OnStep, transact
from scimconf.fleet.undo import Verb, undo_or_recover
from scimconf.fleet.watcher import Watcher
from scimconf.model import Check, Desired, Outcome, Server
from scimconf.secret import Secret
from scimconf.tokens.keyring import Tokens

Answer_co = TypeVar("Answer_co", covariant=True)
Answer = TypeVar("Answer")


class Job(ABC, Generic[Answer_co]):
    """One piece of work. It never raises: every error is in the answer."""

    __slots__ = ()

    @property
    @abstractmethod
    def servers(self) -> Sequence[Server]:
        """The servers that the job connects to; at least one."""

    @abstractmethod
    def do(self, connections: Connections, watcher: Watcher) -> Answer_co:
        """Do the work with these conversations. `watcher` is told about each step."""

    @abstractmethod
    def failed(self, error: Exception) -> Answer_co:
        """Return the answer if nobody could do the work, or nobody knows how it ended."""


class Runner(Protocol):
    """Does jobs. Several threads call it at the same time, each for other servers."""

    def do(self, job: Job[Answer], watcher: Watcher) -> Answer:
        """Do the job, wait for its end, and return its answer."""
        ...

    def ask(self, server: Server, question: Callable[[Agent, Server], Answer]) -> Answer:
        """Ask a server a question, and keep the conversation open. Raises ScimconfError."""
        ...

    def hang_up(self, servers: Iterable[Server]) -> None:
        """Close the conversations with these servers, if any are kept open."""
        ...


class Here:
    """Does jobs in this process, in the thread that calls it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def do(self, job: Job[Answer], watcher: Watcher) -> Answer:
        """See Runner."""
        return job.do(self._connections, watcher)

    def ask(self, server: Server, question: Callable[[Agent, Server], Answer]) -> Answer:
        """See Runner."""
        return question(self._connections.open(server), server)

    def hang_up(self, servers: Iterable[Server]) -> None:
        """See Runner."""
        for server in servers:
            self._connections.close(server)


# --- the jobs -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observe(Job[Looked]):
    """Observe a server. With `keep`, the conversation stays open if there are changes to make."""

    desired: Desired
    look: Look
    keep: bool = False

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return (self.desired.server,)

    def do(self, connections: Connections, watcher: Watcher) -> Looked:
        """See Job."""
        return look_at(self.desired, connections, self.look, keep=self.keep)

    def failed(self, error: Exception) -> Looked:
        """See Job."""
        return Looked(self.desired, failure(self.desired.server.name, error))


@dataclass(frozen=True, slots=True)
class Recover(Job[Looked]):
    """Roll back the interrupted run of a server, and observe the server again."""

    looked: Looked
    lock_timeout: int = 0
    """Seconds to wait for another run on the server."""

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return (self.looked.server,)

    def do(self, connections: Connections, watcher: Watcher) -> Looked:
        """See Job."""
        ready = _connected(self.looked, connections, watcher)
        if not ready.interrupted:
            return ready
        done = _roll_back(ready, "recover", "", connections, watcher, self.lock_timeout)
        # The rollback is done: another attempt would report that there was nothing to recover.
        return replace(look_after_recovery(ready, done, connections), retryable=False)

    def failed(self, error: Exception) -> Looked:
        """See Job."""
        return replace(self.looked, outcome=_failed(self.looked, error))


@dataclass(frozen=True, slots=True)
class Changed:
    """The outcomes of a deployment's servers."""

    outcomes: tuple[Outcome, ...]
    unreached: frozenset[str] = frozenset()
    """Servers that were not reached. Nothing was changed then, and a retry may succeed."""

    @property
    def retryable(self) -> bool:
        return bool(self.unreached)


@dataclass(frozen=True, slots=True)
class Apply(Job[Changed]):
    """Carry out the plans of a deployment's servers, one after the other."""

    looked: tuple[Looked, ...]
    tokens: Tokens
    """The token of every realm that must be present."""
    lock_timeout: int = 0
    """Seconds to wait for another run on a server."""

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return tuple(each.server for each in self.looked)

    def do(self, connections: Connections, watcher: Watcher) -> Changed:
        """See Job."""

        def change_one(each: Looked) -> Outcome:
            if each.plan is None or each.observed is None:
                return each.outcome
            return change(
                connections.open(each.server),
                each.desired,
                each.plan,
                each.observed,
                self.tokens[each.server.name],
                _on_step(each.server, watcher),
                self.lock_timeout,
            )

        def roll_back(each: Looked, done: Outcome) -> Outcome:
            return _roll_back(each, "undo", done.run, connections, watcher, self.lock_timeout)

        return _change(self.looked, change_one, roll_back, connections, watcher)

    def failed(self, error: Exception) -> Changed:
        """See Job."""
        return Changed(tuple(_failed(each, error) for each in self.looked))


@dataclass(frozen=True, slots=True)
class RollBackOne(Job[Outcome]):
    """Undo the change that this run has made on a server."""

    looked: Looked
    run: str
    """The agent's name for the change."""
    lock_timeout: int = 0
    """Seconds to wait for another run on the server."""

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return (self.looked.server,)

    def do(self, connections: Connections, watcher: Watcher) -> Outcome:
        """See Job."""
        server = self.looked.server
        try:
            return _roll_back(
                self.looked, "undo", self.run, connections, watcher, self.lock_timeout
            )
        except Exception as error:
            return failure(server.name, error)
        finally:
            connections.close(server)

    def failed(self, error: Exception) -> Outcome:
        """See Job."""
        return failure(self.looked.server.name, error)


@dataclass(frozen=True, slots=True)
class Note(Job[Outcome]):
    """Change the notes on a server that deliveries to identity providers have begun or ended."""

    looked: Looked
    turns: Mapping[str, tuple[str, str]]
    """Realm -> the note that is there and the new one; "" is no note."""
    lock_timeout: int = 0
    """Seconds to wait for another run on the server."""

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return (self.looked.server,)

    def do(self, connections: Connections, watcher: Watcher) -> Outcome:
        """See Job. Keep the conversation open if the change follows."""
        server = self.looked.server
        request = {"do": "note", "deliveries": {each: [*turn] for each, turn in self.turns.items()}}
        try:
            agent = connections.open(server)
            return transact(agent, server, request, _on_step(server, watcher), self.lock_timeout)
        except Exception as error:
            return failure(server.name, error)
        finally:
            if not any(new for _, new in self.turns.values()):
                connections.close(server)

    def failed(self, error: Exception) -> Outcome:
        """See Job."""
        return failure(self.looked.server.name, error)


@dataclass(frozen=True, slots=True)
class UndoOrRecover(Job[Changed]):
    """Undo or recover the servers of a deployment that have changes pending."""

    looked: tuple[Looked, ...]
    verb: Verb

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return tuple(each.server for each in self.looked)

    def do(self, connections: Connections, watcher: Watcher) -> Changed:
        """See Job."""

        def change_one(each: Looked) -> Outcome:
            done = _roll_back(each, self.verb, each.outcome.run, connections, watcher)
            return replace(done, plan=done.plan or each.plan)

        return _change(self.looked, change_one, None, connections, watcher)

    def failed(self, error: Exception) -> Changed:
        """See Job."""
        return Changed(tuple(_failed(each, error) for each in self.looked))


Interrupted = Callable[[], bool]
"""Returns whether Ctrl-C was pressed."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class CheckPublic(Job[Outcome]):
    """Check the public URLs of a server that has this outcome."""

    looked: Looked
    outcome: Outcome
    tokens: Mapping[str, Secret]
    answers: int = 1
    """How many good answers in a row are needed; several after a restart."""
    test_user: TrialUser | None = None
    interrupted: Interrupted = field(default=_never, compare=False)
    """Is not sent to a worker: a trial that it has begun ends as usual."""

    @property
    def servers(self) -> Sequence[Server]:
        """See Job."""
        return (self.looked.server,)

    def do(self, connections: Connections, watcher: Watcher) -> Outcome:
        """See Job."""
        server = self.looked.server
        watcher.step(server.name, "verify", True)
        try:
            return check(
                self.looked,
                self.outcome,
                self.tokens,
                self.answers,
                self.test_user,
                self.interrupted,
            )
        finally:
            watcher.done(server.name)

    def failed(self, error: Exception) -> Outcome:
        """See Job. A change that is in force keeps its status: the gate has proved it."""
        failed = failure(self.looked.server.name, error)
        if not self.outcome.in_force:
            return replace(failed, plan=self.outcome.plan)
        unasked = Check("", "address", "warning", failed.message, hint=failed.hint)
        return with_checks(self.outcome, (unasked,))


# --- the steps of jobs --------------------------------------------------------------------------


def _change(
    looked: Sequence[Looked],
    change_one: Change,
    roll_back: RollBack | None,
    connections: Connections,
    watcher: Watcher,
) -> Changed:
    """Change the servers of a deployment. Connect to all of them before the first change."""
    try:
        ready = [_connected(each, connections, watcher) for each in looked]
        unreached = frozenset(each.server.name for each in ready if each.retryable)
        return Changed(tuple(change_deployment(ready, change_one, roll_back)), unreached)
    finally:
        for each in looked:
            connections.close(each.server)
            watcher.done(each.server.name)


def _connected(each: Looked, connections: Connections, watcher: Watcher) -> Looked:
    if each.pending and not connections.is_open(each.server):
        watcher.step(each.server.name, "connect", True)
    return connect(each, connections)


def _roll_back(
    each: Looked,
    verb: Verb,
    run: str,
    connections: Connections,
    watcher: Watcher,
    lock_timeout: int = 0,
) -> Outcome:
    agent = connections.open(each.server)
    step = _on_step(each.server, watcher)
    return undo_or_recover(agent, each.server, verb, run, step, lock_timeout)


def _failed(each: Looked, error: Exception) -> Outcome:
    """Return the outcome of a server with changes to make; the others keep theirs."""
    if not each.pending:
        return each.outcome
    unknown = not isinstance(error, Unreachable)
    return replace(failure(each.server.name, error), plan=each.plan, unknown=unknown)


def _on_step(server: Server, watcher: Watcher) -> OnStep:
    return lambda name, doing: watcher.step(server.name, name, doing)

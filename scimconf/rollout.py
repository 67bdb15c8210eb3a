"""Many servers at once: look at all, change those that need it, ask the public side.

One failing server never stops another: whatever a server can cause ends as its Outcome.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Protocol, TypeVar

from scimconf.apply import apply
from scimconf.errors import ExitCode, HostError, ScimconfError, Unreachable, bug, worst
from scimconf.model import Check, Desired, Observed, Outcome, Plan, Server, Status
from scimconf.observe import Agent, observe
from scimconf.plan import plan
from scimconf.secret import Secret
from scimconf.tokens.keyring import Tokens
from scimconf.verify import Hosts, verify

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Opener = Callable[[Server], AbstractContextManager[Agent]]

_EXIT = {
    Status.OK: ExitCode.OK,
    Status.CHANGED: ExitCode.OK,
    Status.PENDING: ExitCode.PENDING,
    Status.UNREACHABLE: ExitCode.UNREACHABLE,
    Status.FAILED: ExitCode.FAILED,
    Status.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Status.ROLL_BACK_FAILED: ExitCode.ROLL_BACK_FAILED,
    Status.SKIPPED: ExitCode.INTERRUPTED,
}


class Watcher(Protocol):
    """Told what goes on while it goes on; called from several threads."""

    def step(self, server: str, name: str, doing: bool) -> None:
        """A step begins (`doing`) or has ended."""
        ...

    def done(self, server: str) -> None:
        """Nothing more will happen on this server for now."""
        ...


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A server that was looked at: its plan, and the open conversation if it has changes."""

    desired: Desired
    outcome: Outcome
    observed: Observed | None = None
    agent: Agent | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    @property
    def plan(self) -> Plan | None:
        return self.outcome.plan


class Rollout:
    """One run over a fleet: at most `forks` servers at a time, nothing new after Ctrl-C."""

    def __init__(self, forks: int, watcher: Watcher) -> None:
        self._forks = max(1, forks)
        self.watcher = watcher
        self._interrupted = threading.Event()

    @property
    def interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C: what was under way has ended, nothing new begins."""
        return self._interrupted.is_set()

    def exit_code(self, outcomes: Iterable[Outcome]) -> ExitCode:
        """Give the exit code that speaks for all the servers, and for Ctrl-C."""
        codes = [_EXIT[outcome.status] for outcome in outcomes]
        return worst([*codes, ExitCode.INTERRUPTED] if self.interrupted else codes)

    def survey(self, fleet: Sequence[Desired], open_agent: Opener, *, keep: bool) -> list[Surveyed]:
        """Look at every server and plan it; in the order of `fleet`.

        With `keep`, the conversation with a server that has changes stays open, so that
        `carry_out` needs no second connection; whoever asks for that calls `closing.close()` of
        each.
        """

        def look(desired: Desired) -> Surveyed:
            self.watcher.step(desired.server.name, "observe", True)
            try:
                return _survey_one(desired, open_agent, keep=keep)
            finally:
                self.watcher.done(desired.server.name)

        def skipped(desired: Desired) -> Surveyed:
            return Surveyed(desired, _not_begun(desired.server.name))

        return self._each(fleet, look, skipped)

    def carry_out(self, surveyed: Sequence[Surveyed], tokens: Tokens) -> list[Outcome]:
        """Apply the plan of each server that has one to carry out; the others keep their outcome.

        `tokens` holds the token of every realm that is to be present.
        """

        def change(each: Surveyed) -> Outcome:
            if each.agent is None or each.plan is None or each.observed is None:
                return each.outcome
            server = each.desired.server
            try:
                return apply(
                    each.agent,
                    server,
                    each.plan,
                    each.observed,
                    tokens[server.name],
                    lambda name, doing: self.watcher.step(server.name, name, doing),
                )
            except Exception as error:
                return replace(failure(server.name, error), plan=each.plan)
            finally:
                each.closing.close()
                self.watcher.done(server.name)

        def skipped(each: Surveyed) -> Outcome:
            each.closing.close()
            if each.agent is None:
                return each.outcome
            return replace(_not_begun(each.desired.server.name), plan=each.plan)

        return self._each(surveyed, change, skipped)

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

        def ask(each: tuple[Surveyed, Outcome]) -> Outcome:
            looked, outcome = each
            server = looked.desired.server
            if outcome.status is not standing or not server.verify or looked.observed is None:
                return outcome
            self.watcher.step(server.name, "verify", True)
            try:
                checks = tuple(_checks(server, looked.observed, tokens[server.name], answers))
                return _with_checks(outcome, checks)
            except Exception as error:
                return replace(failure(server.name, error), plan=outcome.plan)
            finally:
                self.watcher.done(server.name)

        return self._each(list(zip(surveyed, outcomes, strict=True)), ask, lambda each: each[1])

    def _each(
        self,
        items: Sequence[Item],
        work: Callable[[Item], Result],
        skipped: Callable[[Item], Result],
    ) -> list[Result]:
        """Do `work` on each item in threads; after Ctrl-C what has not begun is `skipped`.

        A second Ctrl-C raises KeyboardInterrupt at once; threads may still be at work then.
        """

        def one(item: Item) -> Result:
            return skipped(item) if self.interrupted else work(item)

        pool = ThreadPoolExecutor(self._forks)
        try:
            with _noting_ctrl_c(self._interrupted):
                futures = [pool.submit(one, item) for item in items]
                wait(futures)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures]


@contextmanager
def _noting_ctrl_c(interrupted: threading.Event) -> Iterator[None]:
    """Turn the first Ctrl-C into the event; the second is a KeyboardInterrupt as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        _log.warning("interrupted: no new server is begun, those under way finish; again: at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _survey_one(desired: Desired, open_agent: Opener, *, keep: bool) -> Surveyed:
    name = desired.server.name
    begun = time.monotonic()
    with ExitStack() as stack:
        try:
            agent = stack.enter_context(open_agent(desired.server))
            observed = observe(agent, desired)
            made = plan(desired, observed)
        except Exception as error:
            return Surveyed(desired, failure(name, error, time.monotonic() - begun))
        outcome = Outcome(
            name,
            _status(made),
            made.blocked,
            plan=made,
            warnings=made.warnings,
            seconds=time.monotonic() - begun,
        )
        if keep and outcome.status is Status.PENDING:
            return Surveyed(desired, outcome, observed, agent, stack.pop_all())
        return Surveyed(desired, outcome, observed)


def _status(made: Plan) -> Status:
    if made.blocked:
        return Status.FAILED
    return Status.PENDING if made.pending else Status.OK


def failure(name: str, error: Exception, seconds: float = 0.0) -> Outcome:
    """Give the outcome of a server that could not be worked with.

    A bug of ours ends here too: it may have to do with this server alone.
    """
    known = error if isinstance(error, ScimconfError) else bug(error)
    status = Status.UNREACHABLE if isinstance(known, Unreachable) else Status.FAILED
    step = f"{known.step}: " if isinstance(known, HostError) else ""
    return Outcome(name, status, f"{step}{known.message}", known.hint, seconds=seconds)


def _checks(
    server: Server, observed: Observed, tokens: Mapping[str, Secret], answers: int
) -> Iterator[Check]:
    if observed.external_host is None:
        message = "not asked: EXTERNAL_HOST in settings.py is not a plain value, so it cannot be "
        message += "proved that the realm's URL belongs to this server"
        yield Check("", "address", "warning", message)
        return
    hosts = Hosts(observed.external_host, observed.realm_hosts)
    for realm in server.realms:
        if not realm.present:
            continue
        if token := tokens.get(realm.string_id):
            yield from verify(server, realm, token, hosts, answers)
        else:
            message, hint = "there is no token for it yet", "make one: scimconf apply"
            yield Check(realm.string_id, "token", "failed", message, hint=hint)


def _with_checks(outcome: Outcome, checks: tuple[Check, ...]) -> Outcome:
    if all(check.result != "failed" for check in checks):
        return replace(outcome, checks=checks)
    message = "the public side does not answer as the identity provider needs it"
    hint = ""
    if outcome.status is Status.CHANGED:
        hint = "the change is in force and Zulip itself answers rightly: look at what is before it"
    return replace(outcome, status=Status.FAILED, message=message, hint=hint, checks=checks)


def _not_begun(name: str) -> Outcome:
    return Outcome(name, Status.SKIPPED, "not begun: interrupted")

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


def exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """Give the exit code that speaks for all the servers."""
    return worst(_EXIT[outcome.status] for outcome in outcomes)


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


def survey(
    fleet: Sequence[Desired], open_agent: Opener, forks: int, watcher: Watcher, *, keep: bool
) -> list[Surveyed]:
    """Look at every server, at most `forks` at a time, and plan it; in the order of `fleet`.

    With `keep`, the conversation with a server that has changes stays open, so that `carry_out`
    needs no second connection; whoever asks for that calls `closing.close()` of each.
    """

    def look(desired: Desired) -> Surveyed:
        watcher.step(desired.server.name, "observe", True)
        try:
            return _survey_one(desired, open_agent, keep=keep)
        finally:
            watcher.done(desired.server.name)

    def skipped(desired: Desired) -> Surveyed:
        return Surveyed(desired, _not_begun(desired.server.name))

    return _each(fleet, look, skipped, forks)


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


def carry_out(
    surveyed: Sequence[Surveyed],
    tokens: Mapping[str, Mapping[str, Secret]],
    forks: int,
    watcher: Watcher,
) -> list[Outcome]:
    """Apply the plan of each server that has one to carry out; the others keep their outcome.

    `tokens` holds by server and realm the token of every realm that is to be present.
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
                lambda name, doing: watcher.step(server.name, name, doing),
            )
        except Exception as error:
            return replace(failure(server.name, error), plan=each.plan)
        finally:
            each.closing.close()
            watcher.done(server.name)

    def skipped(each: Surveyed) -> Outcome:
        if each.agent is None:
            return each.outcome
        each.closing.close()
        return replace(_not_begun(each.desired.server.name), plan=each.plan)

    return _each(surveyed, change, skipped, forks)


def confirm(
    surveyed: Sequence[Surveyed],
    outcomes: Sequence[Outcome],
    tokens: Mapping[str, Mapping[str, Secret]],
    forks: int,
    watcher: Watcher,
    *,
    standing: Status,
    answers: int = 1,
) -> list[Outcome]:
    """Ask the public side of every server that is `standing`, as its identity provider would.

    `answers`: how many good ones in a row are wanted; several after a restart. A public URL that
    is not reached is a warning; one that answers wrongly makes the server a failed one, but is
    no reason to go back: Zulip itself has answered rightly by then.
    """

    def ask(each: tuple[Surveyed, Outcome]) -> Outcome:
        looked, outcome = each
        server = looked.desired.server
        if outcome.status is not standing or not server.verify or looked.observed is None:
            return outcome
        watcher.step(server.name, "verify", True)
        try:
            known = tokens.get(server.name, {})
            return _with_checks(outcome, _checks(server, looked.observed, known, answers))
        except Exception as error:
            return replace(failure(server.name, error), plan=outcome.plan)
        finally:
            watcher.done(server.name)

    return _each(list(zip(surveyed, outcomes, strict=True)), ask, lambda each: each[1], forks)


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


def _with_checks(outcome: Outcome, checks: Iterable[Check]) -> Outcome:
    checks = tuple(checks)
    if all(check.result != "failed" for check in checks):
        return replace(outcome, checks=checks)
    message = "the public side does not answer as the identity provider needs it"
    return replace(outcome, status=Status.FAILED, message=message, checks=checks)


def _not_begun(name: str) -> Outcome:
    return Outcome(name, Status.SKIPPED, "not begun: interrupted")


def _each(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    skipped: Callable[[Item], Result],
    forks: int,
) -> list[Result]:
    """Do `work` on each item in threads; after Ctrl-C what has not begun is `skipped`.

    A second Ctrl-C raises KeyboardInterrupt at once; threads may still be at work then.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, forks))
    try:
        with _interruptible() as interrupted:
            futures = [
                pool.submit(lambda item: (skipped if interrupted.is_set() else work)(item), item)
                for item in items
            ]
            wait(futures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in futures]


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an Event; the second is a KeyboardInterrupt as usual."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        _log.warning("interrupted: no new server is begun, those under way finish; again: at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)

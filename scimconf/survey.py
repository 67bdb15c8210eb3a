"""Look at one server: what is to be done there, and the open conversation to do it in."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

from scimconf.errors import Busy, HostError, ScimconfError, Unreachable, bug
from scimconf.model import Desired, Observed, Outcome, Plan, Server, Status, WayFact
from scimconf.observe import Agent, observe
from scimconf.put_back import Verb, look
from scimconf.transact import acknowledge

Opener = Callable[[Server], AbstractContextManager[Agent]]
Look = Callable[[Agent, Desired], tuple[Outcome, Observed | None]]
"""Asks a server how it is; raises ScimconfError."""

_MAY_PASS = ("connect", "agent")
"""Steps of Unreachable that are worth another try. Not "log in": a wrong password is sent once."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A server that was looked at: its plan, and the conversation if it is still open."""

    desired: Desired
    outcome: Outcome
    observed: Observed | None = None
    agent: Agent | None = None
    closing: ExitStack = field(default_factory=ExitStack)
    open_agent: Opener | None = None
    """Opens the conversation once more where it was closed."""
    may_pass: bool = False
    """Whether it was not reached, for a reason that another try may not meet."""
    reached: tuple[WayFact, ...] = ()
    """What ssh_config and the name servers added to the way there."""

    @property
    def plan(self) -> Plan | None:
        return self.outcome.plan

    @property
    def pending(self) -> bool:
        """Whether there is something to do."""
        return self.outcome.status is Status.PENDING and not self.outcome.only_unmanaged

    @property
    def interrupted(self) -> bool:
        """Whether what an interrupted run left has to be put back before anything else."""
        return self.pending and self.plan is not None and self.plan.recovers

    def hang_up(self) -> Surveyed:
        """Close the conversation; gives the server without it."""
        self.closing.close()
        return replace(self, agent=None)


def survey(desired: Desired, open_agent: Opener, look: Look, *, keep: bool) -> Surveyed:
    """Look at a server; with `keep`, the conversation stays open where there is something to do.

    Never raises for what a server can cause, nor for a bug of ours that it brings out.
    """
    name = desired.server.name
    begun = time.monotonic()
    with ExitStack() as stack:
        try:
            agent = stack.enter_context(open_agent(desired.server))
            outcome, observed = look(agent, desired)
        except Exception as error:
            outcome = failure(name, error, time.monotonic() - begun)
            return Surveyed(desired, outcome, may_pass=_may_pass(error))
        outcome = replace(outcome, seconds=time.monotonic() - begun)
        reached = getattr(agent, "reached", ())  # a local agent has no such way
        looked = Surveyed(desired, outcome, observed, open_agent=open_agent, reached=reached)
        if keep and looked.pending:
            return replace(looked, agent=agent, closing=stack.pop_all())
        return looked


def reopen(each: Surveyed) -> Surveyed:
    """Open the conversation with a server that has something to do, if it is not open.

    Nobody looks a second time: a plan that does not hold any more is noticed by the agent, which
    compares the files before it touches them. Never raises for what a server can cause.
    """
    if each.agent or not each.pending:
        return each
    assert each.open_agent  # survey puts it there
    with ExitStack() as stack:
        try:
            agent = stack.enter_context(each.open_agent(each.desired.server))
        except Exception as error:
            outcome = replace(failure(each.outcome.server, error), plan=each.plan)
            return replace(each, outcome=outcome, may_pass=_may_pass(error))
        return replace(each, agent=agent, closing=stack.pop_all())


def _may_pass(error: Exception) -> bool:
    return isinstance(error, Unreachable) and error.step in _MAY_PASS


def planned(agent: Agent, desired: Desired, *, read_only: bool = False) -> tuple[Outcome, Observed]:
    """Look for a plan, `read_only` as a user who could not carry it out. Raises ScimconfError."""
    observed = observe(agent, desired, read_only=read_only)
    from scimconf.plan import plan  # not before the server is asked: see `fleet.opener`

    made = plan(desired, observed)
    return standing(Outcome(desired.server.name, Status.OK, plan=made)), observed


def standing(outcome: Outcome) -> Outcome:
    """Return the outcome of a look as its plan has it: status, message, hint, warnings."""
    made = outcome.plan
    assert made is not None  # whoever looks for a plan has one
    said = replace(outcome, status=Status.OK, message="", hint="", warnings=made.warnings)
    if made.busy:
        message = f"another run is at work here: {made.busy}; nothing was planned"
        hint = "try again later; apply and rotate wait for it with --lock-timeout SECONDS"
        return replace(said, status=Status.BUSY, message=message, hint=hint)
    if made.blocked:
        return replace(said, status=Status.FAILED, message=made.blocked)
    why = made.unproved
    if made.pending and why:  # only the token file would change, which cures nothing there
        return replace(said, status=Status.PENDING, warnings=(*made.warnings, why.message))
    if made.pending:
        return replace(said, status=Status.PENDING)
    if why:
        return replace(said, status=Status.FAILED, message=why.message, hint=why.hint)
    return replace(said, status=Status.PENDING) if made.unmanaged else said


def planned_aloud(agent: Agent, desired: Desired) -> tuple[Outcome, Observed]:
    """Look for a plan that is carried out: what came of a run that ended alone is told for good."""
    outcome, observed = planned(agent, desired)
    if observed.finished_alone:
        acknowledge(agent, desired.server, observed.finished_alone.run)
    return outcome, observed


def after_recovery(each: Surveyed, done: Outcome) -> Surveyed:
    """Look a second time, in the conversation that is open, after a recovery that gave `done`."""
    if each.agent is None or done.status not in (Status.CHANGED, Status.OK):
        return replace(each.hang_up(), outcome=replace(done, plan=each.plan))
    try:
        outcome, observed = planned_aloud(each.agent, each.desired)
    except Exception as error:
        return replace(each.hang_up(), outcome=failure(each.outcome.server, error))
    if done.status is Status.CHANGED:
        said = f"what an interrupted run left was put back first: {done.message}"
        made = outcome.plan and replace(outcome.plan, warnings=(said, *outcome.warnings))
        outcome = replace(outcome, plan=made, warnings=(said, *outcome.warnings), steps=done.steps)
    again = replace(each, outcome=outcome, observed=observed)
    return again if again.pending else again.hang_up()


def putting_back(verb: Verb) -> Look:
    """Give what looks for something to put back."""
    return lambda agent, desired: (look(agent, desired.server, verb), None)


def failure(name: str, error: Exception, seconds: float = 0.0) -> Outcome:
    """Give the outcome of a server that could not be worked with.

    A bug of ours ends here too: it may have to do with this server alone.
    """
    known = error if isinstance(error, ScimconfError) else bug(error)
    status = Status.UNREACHABLE if isinstance(known, Unreachable) else Status.FAILED
    status = Status.BUSY if isinstance(known, Busy) else status
    step = f"{known.step}: " if isinstance(known, HostError) else ""
    return Outcome(name, status, f"{step}{known.message}", known.hint, seconds=seconds)

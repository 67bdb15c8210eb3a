"""Look at one server: what is on it, and what is to be done there. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from scimconf.errors import Busy, HostError, ScimconfError, Unreachable, bug
from scimconf.fleet.connections import Connections
from scimconf.fleet.observe import Agent, observe
from scimconf.fleet.transact import acknowledge
from scimconf.fleet.undo import Verb, look
from scimconf.model import Desired, Observed, Outcome, Plan, Server, Status, WayFact
from scimconf.plan import plan

Look = Callable[[Agent, Desired], tuple[Outcome, Observed | None]]
"""Asks a server how it is; raises ScimconfError."""

_RETRYABLE = ("connect", "agent")
"""Steps of Unreachable that another try may pass. Not "log in": a wrong password is sent once."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of one server, and what it means. Data only: see Connections."""

    desired: Desired
    outcome: Outcome
    observed: Observed | None = None
    retryable: bool = False
    """Whether the server was not reached for a reason that another try may not meet."""
    reached: tuple[WayFact, ...] = ()
    """What ssh_config and the name servers added to the way there."""

    @property
    def server(self) -> Server:
        return self.desired.server

    @property
    def plan(self) -> Plan | None:
        return self.outcome.plan

    @property
    def pending(self) -> bool:
        """Whether there is something to do."""
        return self.outcome.status is Status.PENDING and not self.outcome.only_unmanaged

    @property
    def interrupted(self) -> bool:
        """Whether an interrupted run has to be rolled back before anything else."""
        return self.pending and self.plan is not None and self.plan.recovers

    @property
    def seen(self) -> bool:
        """Whether the server answered, and can be worked with."""
        return self.outcome.status in (Status.OK, Status.PENDING)


def look_at(desired: Desired, connections: Connections, look: Look, *, keep: bool) -> Looked:
    """Look at a server. With `keep`, the conversation stays open where there is something to do.

    Never raises for what a server can cause, nor for a bug of ours that it brings out.
    """
    server = desired.server
    begun = time.monotonic()
    kept = False
    try:
        agent = connections.open(server)
        outcome, observed = look(agent, desired)
        outcome = replace(outcome, seconds=time.monotonic() - begun)
        reached = getattr(agent, "reached", ())  # a local agent has no such way
        looked = Looked(desired, outcome, observed, reached=reached)
        kept = keep and looked.pending
    except Exception as error:
        outcome = failure(server.name, error, time.monotonic() - begun)
        looked = Looked(desired, outcome, retryable=_is_retryable(error))
    if kept:
        connections.keep(server)
    else:
        connections.close(server)
    return looked


def connect(each: Looked, connections: Connections) -> Looked:
    """Open the conversation with a server that has something to do.

    It is not looked at a second time: the agent compares the files with the plan before it touches
    them. Never raises for what a server can cause.
    """
    if not each.pending:
        return each
    try:
        connections.open(each.server)
    except Exception as error:
        outcome = replace(failure(each.server.name, error), plan=each.plan)
        return replace(each, outcome=outcome, retryable=_is_retryable(error))
    return each


def _is_retryable(error: Exception) -> bool:
    return isinstance(error, Unreachable) and error.step in _RETRYABLE


def planned(agent: Agent, desired: Desired, *, read_only: bool = False) -> tuple[Outcome, Observed]:
    """Look for a plan, with `read_only` as a user who may not change anything.

    Raises ScimconfError.
    """
    observed = observe(agent, desired, read_only=read_only)
    return judge(desired.server.name, plan(desired, observed)), observed


def planned_and_acknowledged(agent: Agent, desired: Desired) -> tuple[Outcome, Observed]:
    """Look for a plan to carry out; the server need not tell again how its last run ended."""
    outcome, observed = planned(agent, desired)
    if observed.finished_alone:
        acknowledge(agent, desired.server, observed.finished_alone.run)
    return outcome, observed


def judge(server: str, plan: Plan) -> Outcome:
    """Return the outcome of a look as its plan has it: status, message, hint, warnings."""
    outcome = Outcome(server, Status.OK, plan=plan, warnings=plan.warnings)
    if plan.busy:
        message = f"another run is at work on this server: {plan.busy}; nothing was planned"
        hint = "try again later; to wait for it: apply or rotate with --lock-timeout SECONDS"
        return replace(outcome, status=Status.BUSY, message=message, hint=hint)
    if plan.blocked:
        return replace(outcome, status=Status.FAILED, message=plan.blocked)
    why = plan.unproved
    if plan.pending:
        # A plan that changes the token file alone does not cure what is unproved on the server.
        warnings = (*plan.warnings, why.message) if why else plan.warnings
        return replace(outcome, status=Status.PENDING, warnings=warnings)
    if why:
        return replace(outcome, status=Status.FAILED, message=why.message, hint=why.hint)
    return replace(outcome, status=Status.PENDING) if plan.unmanaged else outcome


def look_after_recovery(each: Looked, done: Outcome, connections: Connections) -> Looked:
    """Look again, in the open conversation, after a recovery that ended with `done`."""
    if done.status not in (Status.CHANGED, Status.OK):
        connections.close(each.server)
        return replace(each, outcome=replace(done, plan=each.plan))
    again = look_at(each.desired, connections, planned_and_acknowledged, keep=True)
    if done.status is Status.CHANGED and again.plan:
        said = f"an interrupted run was rolled back first: {done.message}"
        outcome = again.outcome
        plan = replace(again.plan, warnings=(said, *outcome.warnings))
        outcome = replace(outcome, plan=plan, warnings=(said, *outcome.warnings), steps=done.steps)
        again = replace(again, outcome=outcome)
    return replace(again, reached=each.reached)


def looks_for(verb: Verb) -> Look:
    """Return what looks for something to undo or to recover."""
    return lambda agent, desired: (look(agent, desired.server, verb), None)


def failure(name: str, error: Exception, seconds: float = 0.0) -> Outcome:
    """Return the outcome of a server that could not be worked with.

    A bug of ours ends here too: it may have to do with this server alone.
    """
    known = error if isinstance(error, ScimconfError) else bug(error)
    status = Status.UNREACHABLE if isinstance(known, Unreachable) else Status.FAILED
    status = Status.BUSY if isinstance(known, Busy) else status
    step = f"{known.step}: " if isinstance(known, HostError) else ""
    return Outcome(name, status, f"{step}{known.message}", known.hint, seconds=seconds)

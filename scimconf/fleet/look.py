"""Observe one server and plan its changes. Changes nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from scimconf.errors import Busy, HostError, ScimconfError, Unreachable, bug
from scimconf.fleet.connections import Connections
from scimconf.fleet.observe import Agent, observe
from scimconf.fleet.transact import acknowledge
from scimconf.fleet.undo import Verb, look
from scimconf.model import Desired, Observed, Outcome, Plan, Server, Status, WayFact
from scimconf.plan import plan
from scimconf.secret import redact
from scimconf.server_warning import ServerWarning

Look = Callable[[Agent, Desired], tuple[Outcome, Observed | None]]
"""Observes a server; raises ScimconfError."""

_MAY_NOT = re.compile(r" cannot be (?:read: Permission denied|replaced by (?P<who>\S+): )")
_RETRYABLE = ("connect", "agent")
"""Steps of Unreachable that are retried. Not "log in": a wrong password must be sent only once."""


@dataclass(frozen=True, slots=True)
class Looked:
    """The facts about one server, and their outcome. Data only: see Connections."""

    desired: Desired
    outcome: Outcome
    observed: Observed | None = None
    retryable: bool = False
    """Whether the server was not reached and a retry may succeed."""
    reached: tuple[WayFact, ...] = ()
    """Facts about the connection that come from ssh_config and DNS, not from the inventory."""

    @property
    def server(self) -> Server:
        return self.desired.server

    @property
    def plan(self) -> Plan | None:
        return self.outcome.plan

    @property
    def pending(self) -> bool:
        """Whether there are changes to make."""
        return self.outcome.status is Status.PENDING and not self.outcome.only_unmanaged

    @property
    def interrupted(self) -> bool:
        """Whether an interrupted run must be rolled back before anything else."""
        return self.pending and self.plan is not None and self.plan.recovers

    @property
    def seen(self) -> bool:
        """Whether the server was observed without an error."""
        return self.outcome.status in (Status.OK, Status.PENDING)


def look_at(desired: Desired, connections: Connections, look: Look, *, keep: bool) -> Looked:
    """Observe a server. With `keep`, the conversation stays open if there are changes to make.

    Never raises: every exception becomes the outcome.
    """
    server = desired.server
    begun = time.monotonic()
    kept = False
    try:
        agent = connections.open(server)
        outcome, observed = look(agent, desired)
        ignored = getattr(agent, "warnings", ())  # a local agent has no route
        warnings = (
            *(ServerWarning("ignored-ssh-option", text) for text in ignored),
            *outcome.warnings,
        )
        outcome = silenced(replace(outcome, warnings=warnings), server)
        outcome = replace(outcome, seconds=time.monotonic() - begun)
        reached = getattr(agent, "reached", ())
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
    """Open the conversation with a server that has changes to make.

    The server is not observed again, because the agent compares the files with the plan before it
    changes them. Never raises: every exception becomes the outcome.
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
    """Observe a server and plan. `read_only`: the user may lack the rights to change anything.

    Raises ScimconfError.
    """
    observed = observe(agent, desired, read_only=read_only)
    outcome = judge(desired.server.name, plan(desired, observed))
    if outcome.status is Status.FAILED and not outcome.hint:
        outcome = replace(outcome, hint=_how_to_get_rights(desired.server, outcome.message))
    return outcome, observed


def _how_to_get_rights(server: Server, message: str) -> str:
    """Return the hint for a login user who may not read or replace Zulip's files (files.py)."""
    user = server.paths.user
    may_not = _MAY_NOT.search(message)
    if server.connection.become or may_not is None or may_not["who"] == user:
        return ""
    hint = (
        f"add -b to become {server.connection.become_user} (and -K if sudo asks for a password), "
        f"or log in as {user} (-u {user})"
    )
    return f"{hint}; or use plan --read-only" if may_not["who"] else hint


def planned_and_acknowledged(agent: Agent, desired: Desired) -> tuple[Outcome, Observed]:
    """Observe a server and plan. Acknowledge how its last run ended: the plan reports it."""
    outcome, observed = planned(agent, desired)
    if observed.finished_alone:
        acknowledge(agent, desired.server, observed.finished_alone.run)
    return outcome, observed


def planned_read_only(agent: Agent, desired: Desired) -> tuple[Outcome, Observed]:
    """Observe a server and plan, for a user who may lack the rights to change anything."""
    return planned(agent, desired, read_only=True)


def judge(server: str, plan: Plan) -> Outcome:
    """Build the outcome of a plan: status, message, hint, warnings."""
    outcome = Outcome(server, Status.OK, plan=plan, warnings=plan.warnings)
    if plan.busy:
        message = f"another run is at work on this server: {plan.busy}; nothing was planned"
        hint = "try again later; to wait for it: apply or rotate with --lock-timeout SECONDS"
        return replace(outcome, status=Status.BUSY, message=message, hint=hint)
    if plan.blocked:
        return replace(outcome, status=Status.FAILED, message=plan.blocked)
    why = plan.unproved
    if plan.pending:
        # A plan that changes only the token file does not solve the problem on the server.
        unproved = (ServerWarning("no-answer", why.message),) if why else ()
        warnings = (*plan.warnings, *unproved)
        return replace(outcome, status=Status.PENDING, warnings=warnings)
    if why:
        return replace(outcome, status=Status.FAILED, message=why.message, hint=why.hint)
    return replace(outcome, status=Status.PENDING) if plan.unmanaged else outcome


def look_after_recovery(each: Looked, done: Outcome, connections: Connections) -> Looked:
    """Observe a server again after a recovery with the outcome `done`; keep the conversation."""
    if done.status not in (Status.CHANGED, Status.OK):
        connections.close(each.server)
        return replace(each, outcome=replace(done, plan=each.plan))
    again = look_at(each.desired, connections, planned_and_acknowledged, keep=True)
    if done.status is Status.CHANGED and again.plan:
        text = f"an interrupted run was rolled back first: {done.message}"
        said = ServerWarning("rolled-back", text)
        outcome = again.outcome
        plan = replace(again.plan, warnings=(said, *outcome.warnings))
        outcome = replace(outcome, plan=plan, warnings=(said, *outcome.warnings), steps=done.steps)
        again = replace(again, outcome=outcome)
    return replace(again, reached=each.reached)


def looks_for(verb: Verb) -> Look:
    """Return a function that checks whether a server has something to undo or recover."""
    return _LOOKS_FOR[verb]


def _looking(verb: Verb) -> Look:
    return lambda agent, desired: (look(agent, desired.server, verb), None)


_LOOKS_FOR: Mapping[Verb, Look] = {"undo": _looking("undo"), "recover": _looking("recover")}


def silenced(outcome: Outcome, server: Server) -> Outcome:
    """Return the outcome without the warnings that the inventory silences for its server."""
    hidden = [each.id for each in outcome.warnings if each.id in server.silence]
    shown = tuple(each for each in outcome.warnings if each.id not in server.silence)
    return replace(outcome, warnings=shown, silenced=(*outcome.silenced, *hidden))


def failure(name: str, error: Exception, seconds: float = 0.0) -> Outcome:
    """Build the outcome of a server from an exception.

    An unexpected exception does not end the run either: it may concern only this server.
    """
    known = error if isinstance(error, ScimconfError) else bug(error)
    status = Status.UNREACHABLE if isinstance(known, Unreachable) else Status.FAILED
    status = Status.BUSY if isinstance(known, Busy) else status
    step = f"{known.step}: " if isinstance(known, HostError) else ""
    # The address of a server may be an encrypted value.
    message, hint = redact(f"{step}{known.message}"), redact(known.hint)
    return Outcome(name, status, message, hint, seconds=seconds)

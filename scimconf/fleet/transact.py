"""Request a transaction from a server's agent, and return its result as an Outcome.

The agent carries out the transaction with its gate and its rollback
(`scimconf/agent/transaction.py`). It finishes even if the connection is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from scimconf.errors import HostError, Unreachable
from scimconf.fleet.observe import Agent, Message, final, paths
from scimconf.model import Outcome, Plan, Server, Status, Step
from scimconf.plan.commands import for_server
from scimconf.sanitize import one_line
from scimconf.secret import redact

OnStep = Callable[[str, bool], None]
"""Called with the name of each step when it begins (True) and when it has ended (False)."""

_MOST_STEPS = 200
"""The limit on the steps of a transaction. A real one has about thirty, with the rollback."""

_YEAR = 366 * 86400.0
"""Seconds. A longer duration from a server is invalid."""

_PATIENCE = 600
"""Seconds for all except restarts and gates: four runs of manage.py and the candidate check."""

_STATUS = {
    "committed": Status.CHANGED,
    "recovered": Status.CHANGED,
    "pending": Status.PENDING,
    "nothing": Status.OK,
    "stale": Status.FAILED,
    "busy": Status.BUSY,
    "failed": Status.FAILED,
    "touched": Status.FAILED,
    "rolled back": Status.ROLLED_BACK,
    "roll-back failed": Status.ROLL_BACK_FAILED,
}


def transact(
    agent: Agent,
    server: Server,
    request: Message,
    on_step: OnStep = lambda name, doing: None,
    lock_timeout: int = 0,
) -> Outcome:
    """Send a request (docs/agent.md) and return its outcome, also for every HostError."""
    steps: list[Step] = []
    begun = time.monotonic()
    seconds = None if request.get("look") is True else patience(server, lock_timeout)
    asked = {**request, "paths": paths(server.paths), "lock_timeout": lock_timeout}
    try:
        answer = final(_watch(agent.ask(asked, seconds), steps, on_step), str(request["do"]))
    except Unreachable as lost:
        # If the request has arrived, the server finishes by itself.
        message = f"the connection was lost during the change ({lost.message})"
        shown = for_server("plan", server)
        hint = f"the server commits or rolls back by itself; to see the result: {shown}"
        return Outcome(server.name, Status.FAILED, message, hint, steps=tuple(steps), unknown=True)
    except HostError as error:
        # Also if the agent was killed or is too slow, or its answer is invalid.
        message, hint = redact(f"{error.step}: {error.message}"), redact(error.hint)
        return Outcome(server.name, Status.FAILED, message, hint, steps=tuple(steps), unknown=True)
    run, diff = _text(answer, "run"), _text(answer, "diff")
    status = _STATUS.get(_text(answer, "result"), Status.FAILED)
    if run and status is not Status.PENDING:
        acknowledge(agent, server, run)
    return Outcome(
        server.name,
        status,
        _text(answer, "message"),
        _text(answer, "hint"),
        Plan(server.name, "", diff=diff) if diff else None,
        tuple(steps),
        seconds=time.monotonic() - begun,
        run=run,
        in_force=status is Status.CHANGED,
        outage=_seconds(answer.get("outage")),
        unproved=_text(answer, "unproved"),
    )


def patience(server: Server, lock_timeout: int) -> float:
    """Return the seconds that a transaction on this server may take."""
    # For the change, for its rollback, and for the rollback of an earlier run that died.
    restarts = 3 * server.restart_timeout + 2 * server.gate_timeout
    return float(_PATIENCE + lock_timeout + restarts)


def acknowledge(agent: Agent, server: Server, run: str) -> None:
    """Acknowledge a result. Otherwise the next plan of this server reports it again."""
    with suppress(HostError):
        request = {"do": "acknowledge", "paths": paths(server.paths), "run": run}
        final(agent.ask(request), "acknowledge")


def _watch(messages: Iterable[Message], steps: list[Step], on_step: OnStep) -> Iterable[Message]:
    """Yield the messages, report their steps, and collect each step that has ended."""
    for message in messages:
        if isinstance(message.get("step"), str) and not message.get("final"):
            name = one_line(str(message["step"]), 40)
            doing = message.get("doing") is True
            if not doing:
                steps.append(_step(name, message))
            if len(steps) > _MOST_STEPS:
                raise HostError(
                    "agent",
                    f"the server reports more than {_MOST_STEPS} steps; the rest is ignored",
                    "check this server by hand: the steps did not come from scimconf's agent",
                )
            waiting = one_line(_text(message, "detail"), 200) if doing else ""
            on_step(f"{name}: {waiting}" if waiting else name, doing)
        yield message


def _text(answer: Message, name: str) -> str:
    """Return a text of the server with tokens masked, because it may repeat the request."""
    value = answer.get(name)
    return redact(value) if isinstance(value, str) else ""


def _step(name: str, message: Message) -> Step:
    seconds = _seconds(message.get("seconds")) or 0.0
    return Step(name, message.get("ok") is True, seconds, _text(message, "detail"))


def _seconds(value: object) -> float | None:
    """Return a duration in seconds from a server; None if it is invalid."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _YEAR:
        return None
    return float(value)

"""Put a server back: undo its last transaction, or finish the way back of an interrupted one.

Both need no token and no inventory but the way to the server: its journal holds all of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from scimconf.fleet.observe import Agent, Message
from scimconf.fleet.transact import OnStep, transact
from scimconf.model import Action, ActionKind, Outcome, Plan, Server, Status

Verb = Literal["undo", "recover"]


def look(agent: Agent, server: Server, verb: Verb) -> Outcome:
    """Give what `put_back` would do: a plan of one action, and its diff; nothing is changed."""
    outcome = transact(agent, server, {"do": verb, "look": True})
    if outcome.status is not Status.PENDING:
        return outcome
    action = Action(ActionKind(verb), None, outcome.message)
    diff = outcome.plan.diff if outcome.plan else ""
    return replace(outcome, message="", plan=Plan(server.name, "", (action,), diff=diff))


def put_back(
    agent: Agent,
    server: Server,
    verb: Verb,
    run: str = "",
    on_step: OnStep = lambda name, doing: None,
    lock_timeout: int = 0,
) -> Outcome:
    """Do it. `run`: undo only this transaction, and only if no other came after it."""
    request: Message = {"do": verb}
    if verb == "undo":
        request = {"do": verb, "run": run or None}
    return transact(agent, server, request, on_step, lock_timeout)

"""Undo a server's last transaction, or roll back an interrupted one.

Both need no token, because the server's journal contains the old files.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from scimconf.fleet.observe import Agent, Message
from scimconf.fleet.transact import OnStep, transact
from scimconf.model import Action, ActionKind, Outcome, Plan, Server, Status

Verb = Literal["undo", "recover"]


def look(agent: Agent, server: Server, verb: Verb) -> Outcome:
    """Plan what `undo_or_recover` would do: one action, with its diff. Changes nothing."""
    outcome = transact(agent, server, {"do": verb, "look": True})
    if outcome.status is not Status.PENDING:
        return outcome
    action = Action(ActionKind(verb), None, outcome.message)
    diff = outcome.plan.diff if outcome.plan else ""
    return replace(outcome, message="", plan=Plan(server.name, "", (action,), diff=diff))


def undo_or_recover(
    agent: Agent,
    server: Server,
    verb: Verb,
    run: str = "",
    on_step: OnStep = lambda name, doing: None,
    lock_timeout: int = 0,
) -> Outcome:
    """Undo or recover. `run`: undo only this transaction, and only if it is the last one."""
    request: Message = {"do": verb}
    if verb == "undo":
        request = {"do": verb, "run": run or None}
    return transact(agent, server, request, on_step, lock_timeout)

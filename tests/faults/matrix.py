"""Test every fault at every step, from the transaction's own list of steps."""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any

from scimconf.agent.steps import ROLLBACK_STEPS, STEPS
from tests.faults.faults import FAULTS, Cell
from tests.faults.machine import Machine, machine
from tests.faults.process import Agent, until

FORWARD = ("lock", "look again", "journal", *(step.name for step in STEPS), "commit")
BACK = tuple(f"back: {name}" for name in ROLLBACK_STEPS)
POINTS = (*FORWARD, *BACK)
CELLS = tuple(
    Cell(fault, (point, moment))
    for fault in FAULTS
    for point in fault.at or POINTS
    for moment in fault.moments
)
ALL = os.environ.get("SCIMCONF_FAULTS") == "all"
"""Return whether to run all cases, or only the sample of `make test`."""
SAMPLE = CELLS[::13]

RESULTS = os.environ.get("SCIMCONF_FAULTS_RESULTS", "")
"""The file to which each case adds a line, for the table."""


def run(cell: Cell) -> None:
    """Cause the fault, check the state, end the fault, apply again. Raises AssertionError."""
    fault = cell.fault
    with contextlib.ExitStack() as ending:
        server = ending.enter_context(machine(fault.disk))
        server.restart_timeout = fault.restart_timeout
        if cell.stop[0] in BACK:
            server.behave(restart_exit=1, only_with="beta")
        agent = Agent(server, [server.request()], [cell.stop], fault.link)
        ending.callback(agent.close)
        assert agent.stopped(), f"the change never comes to {cell.stop}: {agent.finals()}"
        fault.strike(server, agent)
        agent.resume()
        agent.ended()
        until(lambda: fault.orphan or not server.processes(), "every program ends")
        outcome = _judge(cell, server, agent)
        fault.pass_by(server, agent)
        server.restart_timeout = 20.0
        if cell.stop[0] in BACK:
            server.behave()
        _record(cell, outcome, _converge(server))


def _judge(cell: Cell, server: Machine, agent: Agent) -> str:
    """Compare the state with the report. Return the outcome in a word or two."""
    fault = cell.fault
    finals = agent.finals()
    assert len(finals) == (0 if fault.dies or not fault.heard else 1), finals
    result, message = (finals[0]["result"], finals[0]["message"]) if finals else ("", "")
    state, in_force = server.state(), server.in_force()
    assert state, "neither file is one of ours"
    assert server.dangling() == []
    assert not server.locked()
    assert in_force in ("old", "new") or (fault.stops_site and in_force == "")
    if not fault.dies:
        assert server.litter() == []
    if not result:
        result = {"open": "dead", "": "dead"}.get(server.journal(), server.journal())
        assert fault.dies or not fault.heard, result
        assert fault.dies or result != "dead", "nobody is left, and it is not at an end"
    if result == "committed":
        assert state == "new"
        assert in_force == "new" or fault.stops_site
        return "new"
    if message:
        # In a rollback, the message may only name the cause of the rollback.
        led_there = cell.stop[0] in BACK and result == "rolled back"
        assert led_there or re.search(fault.words, message), message
    if result in ("failed", "rolled back", "busy", "stale"):
        assert state in ("old", "new") if result == "stale" else state == "old", message
        assert in_force in (state, "")
        return state
    assert server.journal() == "open" or state == "old" or result == "dead"
    if result == "dead":
        assert state != "between" or server.journal() == "open"
        return f"{state} (dead)"
    assert result == "roll-back failed"
    assert fault.stops_writing or fault.stops_site or ": journal: " in message, message
    assert fault.stops_writing or state == "old", message
    return f"{state} (said)"


def _converge(server: Machine) -> int:
    """Apply until the change is done. Return how many runs it took."""
    for count in (1, 2):
        open_before = server.journal() == "open"
        observe = server.zulip.observe(ask=False, acme=None)
        again = Agent(server, [observe, server.request()])
        try:
            again.ended()
            facts, final = again.finals()
        finally:
            again.close()
        assert bool(facts["interrupted"]) == open_before, facts
        if final["result"] == "committed":
            break
        assert count == 1, final
        assert final["result"] == "stale", final
        assert "interrupted" in final["message"], final
        assert server.state() == "old"
        assert server.in_force() == "old"
    assert server.state() == server.in_force() == "new", final
    assert server.zulip.clients() == [["beta", "okta"]]
    assert server.journal() == "committed"
    assert (server.litter(), server.processes(), server.locked()) == ([], [], False)
    return count


def _record(cell: Cell, outcome: str, applies: int) -> None:
    if RESULTS:
        line: dict[str, Any] = {"fault": cell.fault.name, "step": cell.stop[0]}
        line |= {"moment": cell.stop[1], "outcome": outcome, "applies": applies}
        with open(RESULTS, "a") as file:
            file.write(json.dumps(line) + "\n")

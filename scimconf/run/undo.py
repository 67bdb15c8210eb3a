"""`undo` and `recover`: roll a server back to its state before a run.

Both need no token, and only the connection settings of the inventory. The server's journal contains
everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scimconf.fleet.look import looks_for
from scimconf.fleet.undo import Verb
from scimconf.model import Desired, Outcome, RunWords, Status
from scimconf.plan.commands import as_typed, command
from scimconf.run.changes import pending, told_of_interruption
from scimconf.run.connect import connect
from scimconf.run.delivery import unfinished
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import start


def undo_or_recover(
    verb: Verb,
    source: SourceOptions,
    pattern: Sequence[str],
    connection: ConnectionOptions,
    person: Person,
    *,
    yes: bool,
    writes: Sequence[Path] = (),
) -> Result:
    """Observe the servers, ask, and roll back. Raises UsageError, Stopped."""
    begun = start(source, pattern, person, connection, writes=writes, encrypts=False)
    shown = as_typed("plan", pattern, source.limit, (), begun.words)
    with told_of_interruption(shown), connect(begun, connection, begun.servers, person) as fleet:
        desired = [Desired(server, {}) for server in begun.servers]
        with person.progress(steps=False) as watcher:
            looked = fleet.look(desired, watcher, keep=True, look=looks_for(verb))
        outcomes = [each.outcome for each in looked]
        found = [each.outcome for each in pending(looked)]
        if found and not fleet.interrupted:
            if not yes:
                person.approve(verb, "Roll back", found, diff=True)
            with person.progress(steps=True) as watcher:
                outcomes = fleet.undo_or_recover(looked, verb, watcher)
    if verb == "undo":
        outcomes = [_with_next_step(each, begun.words) for each in outcomes]
    lines = tuple(unfinished(source, begun.servers)) if verb == "recover" else ()
    return Result(verb, described(looked, outcomes), fleet.interrupted, next=lines)


def _with_next_step(outcome: Outcome, words: RunWords) -> Outcome:
    """Name the next step if the undo has brought back other tokens than the token file has.

    The diff shows that. `plan` compares the token file and the server, and names the command.
    """
    diff = outcome.plan.diff if outcome.plan else ""
    marks = {line[:1] for line in diff.splitlines() if "bearer_token" in line}
    if outcome.status is not Status.CHANGED or outcome.hint or not marks >= {"-", "+"}:
        return outcome
    hint = (
        "the token file still has the undone token; to see the command that makes both match: "
        f"{command('plan', (outcome.server,), (), words)}"
    )
    return replace(outcome, hint=hint)

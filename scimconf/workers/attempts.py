"""Find out what happened to a deployment whose worker died during its change.

Dask gives the job to another worker. The server has finished the first change by itself, so the
second attempt finds other files than those of the plan, or a lock that is still held, and changes
nothing. Here the servers are observed again, and each gets the outcome that is true now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from scimconf.fleet.job import Apply, Changed, Job, Observe
from scimconf.fleet.look import Looked, planned_and_acknowledged
from scimconf.model import Outcome, Plan, Status

_UNDECIDED = (Status.BUSY, Status.FAILED, Status.SKIPPED, Status.UNREACHABLE)
_PAUSE = 1.0
"""Seconds before a server is observed again while the first attempt is still at work on it."""
_CHANGED = "changed by a worker that died before it could report it"


def settle(
    job: Apply, answer: Changed, do: Callable[[Job[Looked]], Looked], seconds: float
) -> tuple[Changed, Apply | None]:
    """Return the true outcomes, and the job that is left to do for servers that were not changed.

    `answer`: of the last attempt. `seconds`: how long a server may be busy with the first one.
    """
    deadline = time.monotonic() + seconds
    looked: list[Looked] = []
    outcomes: list[Outcome] = []
    for each, outcome in zip(job.looked, answer.outcomes, strict=True):
        if not each.pending or outcome.status not in _UNDECIDED:
            looked.append(replace(each, outcome=outcome))
            outcomes.append(outcome)
            continue
        now = _look(each, do, deadline)
        if now.outcome.status is Status.OK or now.outcome.only_unmanaged:
            found = _changed(each, now)
            looked.append(replace(now, outcome=found))
            outcomes.append(found)
        else:
            same = now.plan is not None and each.plan is not None and _is_same(now.plan, each.plan)
            if not same:  # the first attempt may have changed it, or may be at work still
                outcome = replace(outcome, unknown=True)
            looked.append(each if same else replace(each, outcome=outcome))
            outcomes.append(outcome)
    left = any(each.pending for each in looked)
    again = replace(job, looked=tuple(looked)) if left else None
    return Changed(tuple(outcomes)), again


def _look(each: Looked, do: Callable[[Job[Looked]], Looked], deadline: float) -> Looked:
    """Observe a server; again while the first attempt is still at work on it."""
    while True:
        now = do(Observe(each.desired, planned_and_acknowledged))
        if now.outcome.status is not Status.BUSY or time.monotonic() > deadline:
            return now
        time.sleep(_PAUSE)


def _changed(before: Looked, now: Looked) -> Outcome:
    return Outcome(
        before.server.name,
        Status.CHANGED,
        _CHANGED,
        plan=before.plan,
        warnings=before.outcome.warnings,
        seconds=now.outcome.seconds,
        in_force=True,
    )


def _is_same(now: Plan, before: Plan) -> bool:
    """Whether the plan would still do the same to the same files."""
    return (now.actions, now.settings_sha256, now.secrets_sha256) == (
        before.actions,
        before.settings_sha256,
        before.secrets_sha256,
    )

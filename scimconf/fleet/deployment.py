"""Change all servers of a deployment, or none.

They share tokens and a database (`scim_deployment`). If two of them had different tokens, each
would refuse some requests of the identity provider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from scimconf.fleet.look import Looked, failure
from scimconf.model import Outcome, Status

Change = Callable[[Looked], Outcome]
RollBack = Callable[[Looked, Outcome], Outcome]
"""Undoes the change that has this outcome."""

_GOOD = (Status.OK, Status.PENDING)


def deployments(looked: Sequence[Looked]) -> list[list[Looked]]:
    """Group the servers by deployment; keep the order in which deployments first occur."""
    found: dict[str, list[Looked]] = {}
    for each in looked:
        found.setdefault(each.server.deployment, []).append(each)
    return list(found.values())


def to_change(looked: Sequence[Looked]) -> list[list[Looked]]:
    """Return the deployments that have pending changes."""
    return [each for each in deployments(looked) if any(server.pending for server in each)]


def change_deployment(
    servers: Sequence[Looked], change: Change, roll_back: RollBack | None
) -> list[Outcome]:
    """Change the servers of one deployment, one after the other.

    If a change fails, the servers before it are rolled back (with `roll_back`), and the servers
    after it are skipped. If one of the servers could not be observed, nothing is changed.
    """
    broken = next((each.outcome for each in servers if each.outcome.status not in _GOOD), None)
    outcomes: list[Outcome] = []
    for each in servers:
        if not each.pending:
            outcomes.append(each.outcome)
        elif broken:
            outcomes.append(_skipped(each, broken))
        else:
            outcome = _safely(change, each)
            outcomes.append(outcome)
            broken = outcome if outcome.status not in (Status.CHANGED, Status.OK) else None
    if not (broken and roll_back):
        return outcomes
    return [
        _rolled_back(_safely(roll_back, each, outcome), outcome, broken)
        if outcome.status is Status.CHANGED
        else outcome
        for each, outcome in zip(servers, outcomes, strict=True)
    ]


def _safely(work: Callable[..., Outcome], each: Looked, *more: Outcome) -> Outcome:
    """Do the work. An unexpected exception becomes the outcome of this server only."""
    try:
        return work(each, *more)
    except Exception as error:
        return replace(failure(each.server.name, error), plan=each.plan)


def _skipped(each: Looked, broken: Outcome) -> Outcome:
    return Outcome(
        each.server.name,
        Status.SKIPPED,
        f"not started: {broken.server} of the same deployment is {broken.status.value}",
        f"fix {broken.server}, or leave it out: --limit '!{broken.server}'",
        plan=each.plan,
    )


def _rolled_back(undone: Outcome, outcome: Outcome, broken: Outcome) -> Outcome:
    why = f"{broken.server} of the same deployment is {broken.status.value}"
    succeeded = undone.status is Status.CHANGED
    message = f"rolled back, because {why}" if succeeded else f"not rolled back, although {why}"
    return replace(
        outcome,
        status=Status.ROLLED_BACK if succeeded else Status.ROLL_BACK_FAILED,
        message=f"{message}: {undone.message}" if undone.message else message,
        hint=undone.hint,
        in_force=not succeeded,
        steps=(*outcome.steps, *undone.steps),
        seconds=outcome.seconds + undone.seconds,
    )

"""The servers of one Zulip are changed as one: all of them, or none.

They share tokens and a database (`scim_deployment`), so two of them with different tokens would
turn away half of what the identity provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from scimconf.model import Outcome, Status
from scimconf.survey import Surveyed, failure

Change = Callable[[Surveyed], Outcome]
TakeBack = Callable[[Surveyed, Outcome], Outcome]
"""Undoes a change that gave this outcome."""

_GOOD = (Status.OK, Status.PENDING)


def units(surveyed: Sequence[Surveyed]) -> list[list[Surveyed]]:
    """Give the servers by deployment, in the order in which each is named first."""
    found: dict[str, list[Surveyed]] = {}
    for each in surveyed:
        found.setdefault(each.desired.server.deployment, []).append(each)
    return list(found.values())


def to_change(surveyed: Sequence[Surveyed]) -> list[list[Surveyed]]:
    """Give the deployments in which there is something to do."""
    return [unit for unit in units(surveyed) if any(each.pending for each in unit)]


def carry_out(
    unit: Sequence[Surveyed], change: Change, take_back: TakeBack | None
) -> list[Outcome]:
    """Change the servers of one deployment, one after the other.

    If one is not changed, those before it are taken back (where there is a way), and those after
    it are not begun. Nothing is begun where one of them is not known to be well.
    """
    broken = next((each.outcome for each in unit if each.outcome.status not in _GOOD), None)
    outcomes: list[Outcome] = []
    for each in unit:
        if not each.pending:
            outcomes.append(each.outcome)
        elif broken:
            outcomes.append(_not_begun(each, broken))
        else:
            outcome = _safely(change, each)
            outcomes.append(outcome)
            broken = outcome if outcome.status not in (Status.CHANGED, Status.OK) else None
    if not (broken and take_back):
        return outcomes
    return [
        _taken_back(_safely(take_back, each, outcome), outcome, broken)
        if outcome.status is Status.CHANGED
        else outcome
        for each, outcome in zip(unit, outcomes, strict=True)
    ]


def _safely(work: Callable[..., Outcome], each: Surveyed, *more: Outcome) -> Outcome:
    """Do it; a bug of ours becomes the outcome of this server alone."""
    try:
        return work(each, *more)
    except Exception as error:
        return replace(failure(each.outcome.server, error), plan=each.plan)


def _not_begun(each: Surveyed, broken: Outcome) -> Outcome:
    return Outcome(
        each.outcome.server,
        Status.SKIPPED,
        f"not begun: {broken.server} of the same deployment is {broken.status.value}",
        "put that right, or leave it out with --limit '!" + broken.server + "'",
        plan=each.plan,
    )


def _taken_back(undone: Outcome, outcome: Outcome, broken: Outcome) -> Outcome:
    why = f"{broken.server} of the same deployment is {broken.status.value}"
    well = undone.status is Status.CHANGED
    message = f"undone, because {why}" if well else f"to be undone, because {why}, and it is not"
    return replace(
        outcome,
        status=Status.ROLLED_BACK if well else Status.ROLL_BACK_FAILED,
        message=f"{message}: {undone.message}" if undone.message else message,
        hint=undone.hint,
        in_force=not well,
        steps=(*outcome.steps, *undone.steps),
        seconds=outcome.seconds + undone.seconds,
    )

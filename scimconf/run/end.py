"""How a change at both ends has ended, as outcomes of the servers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from scimconf.fleet.look import Looked
from scimconf.idp.base import Idp
from scimconf.model import Check, Outcome, Status
from scimconf.run.delivery import Delivery


@dataclass
class End:
    """The identity provider of one realm during the change."""

    delivery: Delivery
    idp: Idp
    was_paused: bool = False
    """By somebody else, so it stays paused."""
    is_paused: bool = False
    """By this run, or by one that died."""
    has: str = "old"
    """The token that it has: "old", "new" or "unknown"."""
    seconds: float = 0.0
    """Since the begin of Zulip's change."""
    checks: list[Check] = field(default_factory=list)


def with_checks(outcomes: Sequence[Outcome], ends: Sequence[End]) -> list[Outcome]:
    """Add the steps at the providers to the outcomes of their servers.

    A failed step fails a server that would else be good.
    """
    added = []
    for outcome in outcomes:
        checks = [
            check
            for end in ends
            if end.delivery.server.name == outcome.server
            for check in end.checks
        ]
        outcome = replace(outcome, checks=(*outcome.checks, *checks))
        good = outcome.status in (Status.OK, Status.CHANGED)
        if good and any(check.result == "failed" for check in checks):
            message = "a step at the identity provider failed"
            outcome = replace(outcome, status=Status.FAILED, message=message)
        added.append(outcome)
    return added


def not_begun(servers: Sequence[Looked]) -> list[Outcome]:
    """Return the outcomes of servers that are unchanged because a provider is not ready."""
    message = "nothing was changed, because the identity provider is not ready"
    return [
        Outcome(each.server.name, Status.FAILED, message, plan=each.plan)
        if each.pending
        else each.outcome
        for each in servers
    ]


def all_in_force(servers: Sequence[Looked], outcomes: Sequence[Outcome]) -> bool:
    """Return whether every server of the deployment has the new tokens."""
    return all(
        outcome.status is Status.CHANGED or (not each.pending and outcome.status is Status.OK)
        for each, outcome in zip(servers, outcomes, strict=True)
    )


def is_undecided(outcome: Outcome, ends: Sequence[End]) -> bool:
    """Return whether it is not known which token Zulip has or soon will have.

    Busy: the note may be that of another run, which is changing the server now.
    """
    others = outcome.status is Status.BUSY and any(end.has == "unknown" for end in ends)
    return outcome.unknown or outcome.status is Status.ROLL_BACK_FAILED or others


def is_open(outcome: Outcome, ends: Sequence[End]) -> Outcome:
    """Add that the identity provider stays paused: it is not known which token Zulip has."""
    if not any(end.is_paused and not end.was_paused for end in ends):
        return outcome
    message = f"{outcome.message}; the identity provider stays paused".removeprefix("; ")
    return replace(outcome, message=message)


def gap(outcome: Outcome, ends: Sequence[End]) -> Outcome:
    """Report how long an identity provider that cannot be paused had the wrong token."""
    open_ = [end for end in ends if not end.is_paused]
    if outcome.status is not Status.CHANGED:
        return outcome
    realms = ", ".join(end.delivery.key[1] or "(root)" for end in open_)
    message = (
        f"the identity provider{f' of {realms}' if len(ends) > 1 else ''} cannot be paused, and "
        f"was locked out for at most {max(end.seconds for end in open_):.1f} s"
        if open_
        else "the identity provider was paused during the change"
    )
    return replace(outcome, message=f"{outcome.message}; {message}".removeprefix("; "))


def is_undone(outcome: Outcome, undone: Outcome) -> bool:
    """Return whether nothing of a change is left: it was not made, or it was rolled back."""
    return outcome.status is not Status.CHANGED or undone.status is Status.CHANGED


def rolled_back(outcome: Outcome, undone: Outcome) -> Outcome:
    """Return the outcome of a server whose change was undone for its identity provider."""
    if outcome.status is not Status.CHANGED:
        return outcome
    return replace(
        outcome,
        status=Status.ROLLED_BACK,
        message="the identity provider did not accept the new token, so both ends have the old one",
        hint="",
        in_force=False,
        steps=(*outcome.steps, *undone.steps),
    )


def split(outcome: Outcome, ends: Sequence[End], zulip: str) -> Outcome:
    """Return the outcome `split`, with what to do: the ends may have different tokens."""
    paused = any(end.is_paused and not end.was_paused for end in ends)
    rest = "; provisioning stays paused" if paused else ""
    again = "; ".join(dict.fromkeys(end.delivery.again for end in ends))
    if zulip == "new":
        again += (
            ". If that does not help, enter the token by hand: "
            f"{'; '.join(dict.fromkeys(end.delivery.by_hand for end in ends))}"
        )
    return replace(
        outcome,
        status=Status.SPLIT,
        message=f"Zulip has the {zulip} token, the identity provider may have another one{rest}",
        hint=f"when the identity provider works again, run: {again}",
    )

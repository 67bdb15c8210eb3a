"""The steps that `apply` and `rotate` share.

Their order must not change: compare with the saved plan, and ask. Only then run the commands of the
inventory, read tokens that are kept elsewhere, write the token file and change servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from scimconf.errors import Stopped, UsageError
from scimconf.fleet.batches import Strategy, strategy
from scimconf.fleet.deployment import to_change
from scimconf.fleet.fleet import Around, Fleet
from scimconf.fleet.look import Looked, planned_and_acknowledged
from scimconf.model import Desired, Outcome, Reference, Server, Status
from scimconf.plan.commands import commands, for_server
from scimconf.plan.share import Share, share
from scimconf.run.options import RolloutOptions
from scimconf.run.person import Person
from scimconf.run.shard import Shard
from scimconf.tokens.keyring import Tokens

_GOOD_ANSWERS = 3
"""Good answers in a row that a public URL must give after a restart, because Zulip's workers may
restart one by one."""

_SIZES_SHOWN = 8
"""The number of batches whose sizes the question lists."""

_MOST_REASONS = 8
"""The most warnings that a refusal repeats."""

_CTRL_C = (
    "interrupted: a server that is being changed completes the change or rolls it back by itself; "
    "to see the result: "
)


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """How a run changes servers, and what it may do without asking."""

    strategy: Strategy
    lock_timeout: int
    """Seconds to wait for another run on a server."""
    yes: bool
    diff: bool
    create_tokens: bool = False
    approved: bool = False
    """Whether a saved plan was given. It contains the lock-outs and the new tokens."""
    shard: Shard | None = None
    """The share of the fleet that the run works on."""
    allow_many: bool = False
    """Whether more than a third of the existing realms may change (`scimconf.plan.share`)."""


def strategy_of(options: RolloutOptions, shard: Shard | None) -> Strategy:
    """Return the batches of a run. Raises UsageError."""
    if shard and options.canary is not None:
        raise UsageError(
            "--canary and --shard exclude each other: the other shards would not wait for it",
            "change a first server alone, with --limit, before the shards start",
        )
    return strategy(options.serial, options.canary, options.max_fail)


@contextmanager
def told_of_interruption(shown: str) -> Iterator[None]:
    """Explain what happens to servers in progress when Ctrl-C is pressed twice.

    `shown`: the command that shows the state of the servers.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"{_CTRL_C}{shown}") from None


def look(
    fleet: Fleet, desired: Sequence[Desired], person: Person, *, lock_timeout: int = 0
) -> list[Looked]:
    """Observe servers for a plan that will be carried out."""
    # With a lock timeout, a log shows that this run waits for another one.
    with person.progress(steps=lock_timeout > 0) as watcher:
        return fleet.look(
            desired,
            watcher,
            keep=True,
            look=planned_and_acknowledged,
            lock_timeout=lock_timeout,
        )


def recover(
    fleet: Fleet, looked: Sequence[Looked], options: ChangeOptions, person: Person
) -> Sequence[Looked]:
    """Roll back interrupted runs after approval. Return all servers, observed again if needed."""
    interrupted = [each for each in looked if each.interrupted]
    if fleet.interrupted or not interrupted:
        return looked
    if not options.yes:
        outcomes = [each.outcome for each in interrupted]
        person.approve("recover", "Roll back", outcomes, diff=options.diff)
    with person.progress(steps=True) as watcher:
        return fleet.recover(looked, watcher, options.lock_timeout)


def approve(
    looked: Sequence[Looked],
    options: ChangeOptions,
    person: Person,
    references: Mapping[Reference, str] | None = None,
) -> None:
    """Show the changes and ask. Raises Stopped for a no, UsageError if --yes is not enough."""
    changing = pending(looked)
    refuse_new_tokens(changing, options, person)
    if not options.yes:
        person.approve(
            "plan",
            "Change",
            [each.outcome for each in changing],
            diff=options.diff,
            in_batches=in_batches(looked, options.strategy),
            references=references or {},
        )


def share_of(looked: Iterable[Looked]) -> Share:
    """Return the share of the existing realms that the plans of these servers change."""
    return share(
        (each.server, each.observed, each.plan)
        for each in looked
        if each.observed is not None and each.plan is not None
    )


def refuse_too_many(looked: Sequence[Looked], options: ChangeOptions, plan: str) -> None:
    """Raise UsageError for a change of too many existing realms without --allow-many.

    `plan`: the command that shows the changes. A saved plan was approved as a whole.
    """
    part = share_of(looked)
    if part.is_many and not (options.allow_many or options.approved):
        raise UsageError(
            f"{part.text}. That is more than a third; --yes is not enough for that",
            f"to see the changes: {plan}; if all of them are intended, add --allow-many to "
            "this command",
        )


def approve_more(looked: Sequence[Looked], options: ChangeOptions, person: Person) -> None:
    """Ask again, because the fetched tokens cause changes that were not shown."""
    changing = pending(looked)
    if not options.yes:
        what = "The fetched tokens require more changes than the plan showed. Change"
        person.approve("plan", what, [each.outcome for each in changing], diff=options.diff)


def approve_lock_outs(looked: Sequence[Looked], options: ChangeOptions, person: Person) -> None:
    """Ask separately about tokens in force that are replaced, even with --yes.

    Raises Stopped for a no.
    """
    locked_out = _locked_out(pending(looked))
    if locked_out and not (options.create_tokens or options.approved):
        person.confirm(
            f"This replaces the token in force of {locked_out}. The identity provider is locked "
            "out until it has the new token. Replace the token in force?"
        )


def change(
    fleet: Fleet,
    looked: Sequence[Looked],
    tokens: Tokens,
    options: ChangeOptions,
    person: Person,
    around: Around = lambda servers, change, undo, watcher: change(),
) -> list[Outcome]:
    """Carry out the plans, batch by batch, and check the public URLs after each change."""
    with person.progress(steps=True) as watcher:
        return fleet.change(
            looked,
            tokens,
            watcher,
            lock_timeout=options.lock_timeout,
            strategy=options.strategy,
            around=around,
            answers=_GOOD_ANSWERS,
        )


def noted(note: Callable[[], None], person: Person, hint: str) -> bool:
    """Write the servers' present tokens into the token file; return False if that fails.

    It does not raise: the servers are changed, so the run must still report their outcomes.
    """
    try:
        note()
    except UsageError as error:
        person.tell(f"error: {error.message}")
        person.tell(f"  -> fix this, then record the tokens of the servers: {hint}")
        return False
    return True


# --- pending changes ----------------------------------------------------------------------------


def pending(looked: Sequence[Looked]) -> list[Looked]:
    """Return the servers that have changes to make."""
    return [each for each in looked if each.pending]


def refuse_new_tokens(changing: Sequence[Looked], options: ChangeOptions, person: Person) -> None:
    """Raise UsageError if --yes is not enough for a new token.

    Without a terminal, this may be a CI job: a new token is lost together with its checkout. A new
    token in place of the one in force locks the identity provider out; a saved plan shows that.
    """
    if options.shard:
        _refuse_tokens_of_a_shard(changing)
    if options.create_tokens or person.can_answer:
        return
    locked_out = _locked_out(changing)
    if locked_out and not options.approved:
        message = (
            f"this would replace the token in force of {locked_out}, and lock out the identity "
            "provider until it has the new token; --yes is not enough for that"
        )
        raise UsageError(
            "\n".join((message, *_reasons(changing))),
            f"to see the changes: {'; '.join(_plans(changing))}; to replace "
            "the token in force, add --create-tokens to this command",
        )
    for each in changing:
        if each.plan and each.plan.makes_tokens:
            raise UsageError(
                f"{each.server.name} needs a new token. Without a terminal, apply creates tokens "
                "only with --create-tokens: in a CI job, the token file could be lost with the "
                "checkout",
                "run this command where the token file is kept, or add --create-tokens to it",
            )


def _refuse_tokens_of_a_shard(changing: Sequence[Looked]) -> None:
    for each in changing:
        if each.plan and each.plan.makes_tokens:
            raise UsageError(
                f"{each.server.name} needs a new token. A run with --shard creates none, because "
                "its copy of the token file may be lost, and other shards do not see it",
                "create the token where the token file is kept: "
                + for_server("apply", each.server),
            )


def _locked_out(changing: Sequence[Looked]) -> str:
    """Return the realms whose token in force is replaced with one that their IdP may not have."""
    named = [
        f"realm {realm or '(root)'} of {each.server.name}"
        for each in changing
        for realm in (each.plan.locks_out if each.plan else ())
    ]
    return ", ".join(named)


def _reasons(changing: Sequence[Looked]) -> list[str]:
    """Return what the plan says about these tokens. It often names a command that keeps them."""
    said = [
        f"  {each.server.name}: {warning.text}"
        for each in changing
        for warning in each.outcome.warnings
        if warning.id == "lock-out"
    ]
    more = [f"  and {len(said) - _MOST_REASONS} more"] if len(said) > _MOST_REASONS else []
    return said[:_MOST_REASONS] + more


def _plans(changing: Sequence[Looked]) -> list[str]:
    """Return the commands that show the servers whose token in force is replaced."""
    realms = {
        each.server.peers or (each.server.name,): each.plan.locks_out
        for each in changing
        if each.plan and each.plan.locks_out
    }
    return commands("plan", realms, changing[0].server.words)


def in_batches(looked: Sequence[Looked], strategy: Strategy) -> str:
    """Describe the batches for the question; "" for a single batch."""
    batches = strategy.batches(to_change(looked), len(looked))
    if len(batches) < 2:
        return ""
    sizes = [sum(each.pending for servers in batch for each in servers) for batch in batches]
    more = ", ..." if len(sizes) > _SIZES_SHOWN else ""
    return f" in {len(sizes)} batches of {', '.join(map(str, sizes[:_SIZES_SHOWN]))}{more}"


# --- servers whose tokens are recorded in the token file ----------------------------------------


def settled(servers: Sequence[Server], outcomes: Sequence[Outcome]) -> list[Server]:
    """Return the servers of each deployment whose servers all match the inventory.

    Unmanaged realms are ignored.
    """
    return _whole_deployments(servers, [outcome for outcome in outcomes if _is_good(outcome)])


def in_force(servers: Sequence[Server], outcomes: Sequence[Outcome]) -> list[Server]:
    """Return the servers of each deployment whose servers all have the wanted tokens.

    It need not be proved: a check that fails after the commit rolls nothing back.
    """
    good = [each for each in outcomes if _is_good(each) or each.in_force]
    return _whole_deployments(servers, good)


def _is_good(outcome: Outcome) -> bool:
    return outcome.status in (Status.OK, Status.CHANGED) or outcome.only_unmanaged


def _whole_deployments(servers: Sequence[Server], good: Sequence[Outcome]) -> list[Server]:
    names = {outcome.server for outcome in good}
    incomplete = {each.deployment for each in servers if each.name not in names}
    return [each for each in servers if each.deployment not in incomplete]

"""`plan`: show what `apply` would do. Changes nothing and sends no secret."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.fleet.look import planned, planned_read_only
from scimconf.plan.share import Share
from scimconf.run import saved_plan
from scimconf.run.changes import share_of
from scimconf.run.connect import connect
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import start
from scimconf.run.tokens import unmoved
from scimconf.run.which_realms import narrowed


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The options of `plan`."""

    source: SourceOptions
    pattern: tuple[str, ...]
    connection: ConnectionOptions
    resolve: bool = False
    """Whether to fetch tokens that are kept elsewhere. This runs commands of the inventory."""
    read_only: bool = False
    out: Path | None = None
    """Where to save the plan."""
    realms: tuple[str, ...] = ()
    """Plan only these realms; empty: all."""
    writes: tuple[Path, ...] = ()


def plan(options: PlanOptions, person: Person) -> Result:
    """Observe the servers, compare them with the inventory, and save the plan if requested.

    Raises UsageError.
    """
    if options.resolve and options.out:
        raise UsageError(
            "--resolve and --out exclude each other: a saved plan compares the text of a token "
            "reference, not the fetched token",
            "save the plan without --resolve",
        )
    writes = (*options.writes, options.out) if options.out else options.writes
    begun = start(
        options.source, options.pattern, person, options.connection, writes=writes, changes=False
    )
    servers = narrowed(begun, options.realms, person)
    keyring = begun.keyring()
    for warning in unmoved(servers, begun.inventory.places, keyring.file):
        person.warn(warning)
    if options.resolve:
        keyring.fetch(servers)
    desired = [keyring.desired(server) for server in servers]
    with (
        connect(begun, options.connection, servers, person) as fleet,
        person.progress(steps=False) as watcher,
    ):
        look = planned_read_only if options.read_only else planned
        looked = fleet.look(desired, watcher, look=look)
    if options.out and not fleet.interrupted:
        saved_plan.save(options.out, looked)
    outcomes = [each.outcome for each in looked]
    notes = _notes(share_of(looked), saved=options.out is not None)
    return Result(
        "plan",
        described(looked, outcomes),
        fleet.interrupted,
        notes=notes,
        tokens=keyring.dates(begun.servers),
        scope=begun.scope(options.realms),
    )


def _notes(part: Share, *, saved: bool) -> tuple[str, ...]:
    """Return a note if apply would refuse the plan; a saved plan is approved as a whole."""
    if not part.is_many:
        return ()
    return (part.text if saved else f"apply will need --allow-many: {part.text}",)

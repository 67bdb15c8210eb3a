"""`scimconf apply`: configure the servers as the inventory says."""

from __future__ import annotations

from pathlib import Path

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.apply import ApplyOptions, apply
from scimconf.run.changes import ChangeOptions, strategy_of
from scimconf.run.options import (
    ConnectionOptions,
    DeliveryOptions,
    RolloutOptions,
    SourceOptions,
)
from scimconf.run.plan import PlanOptions, plan
from scimconf.run.saved_plan import load


@options.verb("apply")
@options.pattern
@options.sharded_source
@options.realm
@options.option("--check", is_flag=True, help="Change nothing: the same as plan.")
@options.option(
    "--plan",
    "plan_file",
    type=options.NEW_FILE,
    help="Apply only this saved plan (plan --out). Refuse it if a server has changed since.",
)
@options.diff
@options.yes
@options.option(
    "--create-tokens",
    is_flag=True,
    help="Create new tokens without asking, even if they replace tokens in force.",
)
@options.option(
    "--allow-many",
    variable=False,
    is_flag=True,
    help="Allow changes of more than a third of the existing realms (if that is 5 or more).",
)
@options.delivery
@options.lock_timeout
@options.rollout
@options.spread_connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    check: bool,
    plan_file: Path | None,
    diff: bool,
    yes: bool,
    create_tokens: bool,
    allow_many: bool,
    delivery: DeliveryOptions,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Configure the servers as the inventory says.

    Shows the plan and asks. Then changes each server in one transaction: the server checks that
    SCIM works with the new token, or rolls back. Last, the public URLs are checked as the
    identity provider would use them.
    """
    start_log(output)
    person = Terminal(vault, output, changes=not check)
    if check:
        options_ = PlanOptions(source, pattern, connection, writes=output.files, realms=realms)
        return results(plan(options_, person), output, diff=diff, shard=source.shard)
    saved = load(plan_file) if plan_file else None
    if not yes:
        person.must_answer("apply")
    how = ChangeOptions(
        strategy_of(rollout, source.shard),
        lock_timeout,
        yes=yes,
        diff=diff,
        create_tokens=create_tokens,
        approved=saved is not None,
        shard=source.shard,
        allow_many=allow_many,
    )
    result = apply(
        ApplyOptions(
            *(source, pattern, connection, how),
            saved=saved,
            writes=output.files,
            realms=realms,
            delivery=delivery,
        ),
        person,
    )
    return results(result, output, diff=diff, shard=source.shard)

"""`scimconf apply`: make the servers as the inventory says."""

from __future__ import annotations

from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.fleet.batches import strategy
from scimconf.run.apply import ApplyOptions, apply
from scimconf.run.changes import ChangeOptions
from scimconf.run.options import ConnectionOptions, RolloutOptions, SourceOptions
from scimconf.run.plan import PlanOptions, plan
from scimconf.run.saved_plan import load


@click.command("apply")
@options.pattern
@options.source
@options.option("--check", variable="CHECK", is_flag=True, help="Change nothing: the same as plan.")
@options.option(
    "--plan",
    "plan_file",
    variable="PLAN",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Only what this file, written by plan --out, says; refused if anything has moved on.",
)
@options.option("--diff", variable="DIFF", is_flag=True, help="Show the change, masked.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the first change.")
@options.option(
    "--create-tokens",
    variable="CREATE_TOKENS",
    is_flag=True,
    help="Make new tokens without a question, also in the place of tokens in force.",
)
@options.lock_timeout
@options.rollout
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    check: bool,
    plan_file: Path | None,
    diff: bool,
    yes: bool,
    create_tokens: bool,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Make the hosts of PATTERN (all if there is none) as the inventory says.

    Shows the plan and asks; then changes each server in one transaction, which proves on the
    server that SCIM answers, or puts everything back. Then it asks the public URLs as the
    identity provider would.
    """
    start_log(output)
    person = Terminal(vault, output)
    if check:
        options_ = PlanOptions(source, pattern, connection, writes=output.files)
        return results(plan(options_, person), output, diff=diff)
    saved = load(plan_file) if plan_file else None
    if not yes:
        person.must_answer("apply")
    how = ChangeOptions(
        strategy(rollout.serial, rollout.canary, rollout.max_fail),
        lock_timeout,
        yes=yes,
        diff=diff,
        create_tokens=create_tokens,
        approved=saved is not None,
    )
    result = apply(
        ApplyOptions(
            *(source, pattern, connection, how, rollout.order), saved=saved, writes=output.files
        ),
        person,
    )
    return results(result, output, diff=diff)

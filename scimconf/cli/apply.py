"""`scimconf apply`: make the servers as the inventory says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli import plan as plan_verb
from scimconf.cli.options import (
    ConnectionOptions,
    OutputOptions,
    RolloutOptions,
    SourceOptions,
    VaultOptions,
)
from scimconf.errors import ExitCode, worst


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
    from scimconf import batches
    from scimconf.cli import fleet, question
    from scimconf.cli.change import How, change, in_force, noted, settled, whole
    from scimconf.cli.output import results
    from scimconf.report.no_progress import NoProgress
    from scimconf.rollout import Rollout
    from scimconf.saved_plan import load

    if check:
        return plan_verb.run(pattern, source, connection, vault, output, diff=diff)
    approved = load(plan_file) if plan_file else None
    if not yes:
        question.may_ask("apply")
    strategy = batches.strategy(rollout.serial, rollout.canary, rollout.max_fail)
    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=output.files)
    chosen = fleet.select(inventory, pattern, source.limit)
    servers = batches.ordered(chosen, rollout.order, lambda server: server.name)
    if approved:
        approved.check_selection(servers)
        if refused := approved.other_way(servers):
            return results("apply", Rollout(1, NoProgress()), refused, output)
    keyring = fleet.keyring(source, vault)
    how = How(
        connection,
        output,
        strategy,
        lock_timeout,
        yes=yes,
        diff=diff,
        create_tokens=create_tokens,
        approved=approved,
    )
    open_agent = fleet.opener(source, connection, keyring.passwords, servers)
    done = change(servers, keyring, open_agent, how)
    failed = ExitCode.OK
    if done.agreed:
        have = in_force(servers, done.outcomes)
        proved = whole(settled(servers, done.outcomes), servers, inventory)
        failed = noted(partial(keyring.settle, have, proved), "scimconf apply")
    return worst([failed, results("apply", done.run, done.outcomes, output, diff=diff)])

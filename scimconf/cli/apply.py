"""`scimconf apply`: make the servers as the inventory says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

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


@options.verb("apply")
@options.pattern
@options.source
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
    help="Create new tokens without asking, even if they replace tokens in use.",
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
    """Configure the servers as the inventory says.

    Shows the plan and asks. Then changes each server in one transaction: the server checks that
    SCIM works with the new token, or rolls back. Last, the public URLs are checked as the
    identity provider would use them.
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
    servers = list(chosen)
    if approved:
        approved.check_selection(servers)
        if refused := approved.other_way(servers):
            return results("apply", Rollout(1, NoProgress()), refused, output)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
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
    open_agent = fleet.opener(source, connection, passwords, servers)
    done = change(servers, keyring, open_agent, how)
    failed = ExitCode.OK
    if done.agreed:
        have = in_force(servers, done.outcomes)
        proved = whole(settled(servers, done.outcomes), servers, inventory)
        failed = noted(partial(keyring.settle, have, proved), "scimconf apply")
    return worst([failed, results("apply", done.run, done.outcomes, output, diff=diff)])

"""`scimconf plan`: what apply would do."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path

from scimconf.cli import options
from scimconf.cli.help import OUTPUT
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions
from scimconf.cli.streams import err
from scimconf.errors import UsageError


@options.verb("plan")
@options.pattern
@options.source
@options.diff
@options.option(
    "--resolve",
    is_flag=True,
    help="Fetch tokens from external stores. This runs the commands that the inventory names.",
)
@options.option(
    "--read-only",
    is_flag=True,
    help="Log in as a user who may read the configuration and cannot change it.",
)
@options.option(
    "--out",
    section=OUTPUT,
    type=options.NEW_FILE,
    help="Save the plan to FILE, without tokens, for apply --plan.",
)
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    diff: bool,
    resolve: bool,
    read_only: bool,
    out: Path | None,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Show what apply would change.

    Changes nothing. Needs no token and no vault password: tokens are compared by fingerprint.
    Exits with 2 if changes are pending or a realm is unmanaged.
    """
    return run(
        *(pattern, source, connection, vault, output),
        diff=diff,
        resolve=resolve,
        read_only=read_only,
        out=out,
    )


def run(
    pattern: tuple[str, ...],
    source: SourceOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
    *,
    diff: bool,
    resolve: bool = False,
    read_only: bool = False,
    out: Path | None = None,
) -> int:
    """Plan, print, and give the exit code; `apply --check` is the same."""
    from scimconf.cli import fleet
    from scimconf.cli.output import progress, results
    from scimconf.rollout import Rollout
    from scimconf.survey import planned

    if resolve and out:
        raise UsageError(
            "--resolve and --out exclude each other: a saved plan is compared by the words of a "
            "reference, never by the token that it gives",
            "save the plan without --resolve",
        )
    fleet.start_log(output)
    writes = (*output.files, out) if out else output.files
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=writes)
    servers = fleet.select(inventory, pattern, source.limit)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    if resolve:
        keyring.fetch(servers)
    desired = [keyring.desired(server) for server in servers]
    open_agent = fleet.opener(source, connection, passwords, servers)
    with progress(output, steps=False) as watcher:
        run = Rollout(connection.forks, watcher, connection.retries)
        look = partial(planned, read_only=read_only)
        surveyed = run.survey(desired, open_agent, keep=False, look=look)
    if out and not run.interrupted:
        from scimconf import saved_plan

        saved_plan.save(out, surveyed)
        if out.is_file() and not output.quiet:
            err(f"wrote {out}; to carry it out: scimconf apply --plan {shlex.quote(str(out))}")
    return results("plan", run, [each.outcome for each in surveyed], output, diff=diff)

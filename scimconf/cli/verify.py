"""`scimconf verify`: check the public SCIM URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scimconf.cli import options
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions
from scimconf.model import Status

if TYPE_CHECKING:
    from scimconf.model import Outcome


@options.verb("verify")
@options.pattern
@options.source
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Check the public SCIM URLs as the identity provider would.

    Changes nothing. Reads each server's settings first: a token is sent only to a host name that
    these settings contain. Needs the vault password.
    """
    from scimconf.cli import fleet
    from scimconf.cli.output import progress, results
    from scimconf.rollout import Rollout

    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=output.files)
    servers = fleet.select(inventory, pattern, source.limit)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    keyring.fetch(servers)
    tokens = keyring.tokens(servers)
    desired = [keyring.desired(server) for server in servers]
    open_agent = fleet.opener(source, connection, passwords, servers)
    with progress(output, steps=False) as watcher:
        run = Rollout(connection.forks, watcher, connection.retries)
        surveyed = run.survey(desired, open_agent, keep=False)
        standing = [_standing(each.outcome) for each in surveyed]
        outcomes = run.confirm(surveyed, standing, tokens, standing=Status.OK)
    return results("verify", run, outcomes, output)


def _standing(outcome: Outcome) -> Outcome:
    """Forget what a plan would change: the question is only what the public side answers."""
    from scimconf.survey import standing

    if outcome.plan is None:
        return outcome
    plan = replace(outcome.plan, actions=(), warnings=(), diff="", unmanaged=(), unproved=None)
    return standing(replace(outcome, plan=plan))

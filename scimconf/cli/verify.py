"""`scimconf verify`: can the identity provider get in?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from scimconf.cli import options
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions
from scimconf.model import Status

if TYPE_CHECKING:
    from scimconf.model import Outcome


@click.command("verify")
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
    """Ask the public URL of each realm what its identity provider would ask.

    Looks at each server first: a token is sent only to a host that the server's own settings
    name. Changes nothing.
    """
    from scimconf.cli import fleet
    from scimconf.cli.output import progress, results
    from scimconf.rollout import Rollout

    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=output.files)
    servers = fleet.select(inventory, pattern, source.limit)
    keyring = fleet.keyring(source, vault)
    keyring.fetch(servers)
    tokens = keyring.tokens(servers)
    desired = [keyring.desired(server) for server in servers]
    open_agent = fleet.opener(source, connection, keyring.passwords, servers)
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

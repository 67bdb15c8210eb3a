"""`scimconf verify`: can the identity provider get in?"""

from __future__ import annotations

from dataclasses import replace

import click

from scimconf.cli import options
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions
from scimconf.model import Status


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
    from scimconf.rollout import confirm, survey

    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet)
    servers = fleet.select(inventory, pattern, source.limit)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    keyring.fetch(servers)
    tokens = keyring.tokens(servers)
    desired = [keyring.desired(server) for server in servers]
    with progress(output, steps=False) as watcher:
        surveyed = survey(
            desired, fleet.opener(connection, passwords), connection.forks, watcher, keep=False
        )
        # What a plan would change is not the question here, only what the public side answers.
        standing = [
            replace(each.outcome, status=_standing(each.outcome.status), plan=None, warnings=())
            for each in surveyed
        ]
        outcomes = confirm(
            surveyed, standing, tokens, connection.forks, watcher, standing=Status.OK
        )
    return results("verify", outcomes, output)


def _standing(status: Status) -> Status:
    return Status.OK if status is Status.PENDING else status

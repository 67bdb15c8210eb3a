"""What the verbs `undo` and `recover` share: look, ask, put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions

if TYPE_CHECKING:
    from scimconf.put_back import Verb

AT_ONCE = (
    "interrupted: a server under way finishes its change, or goes back, by itself; "
    "`scimconf plan` shows how they stand"
)


def run(
    verb: Verb,
    pattern: tuple[str, ...],
    source: SourceOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
    *,
    yes: bool,
) -> int:
    """Look at the servers, ask, put back what there is; gives the exit code."""
    from scimconf.cli import fleet, question
    from scimconf.cli.output import progress, results
    from scimconf.model import Desired
    from scimconf.rollout import Rollout
    from scimconf.survey import putting_back

    if not yes:
        question.may_ask(verb)
    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=output.files)
    servers = fleet.select(inventory, pattern, source.limit)
    open_agent = fleet.opener(source, connection, fleet.VaultPassword(vault), servers)
    look = putting_back(verb)
    with progress(output, steps=False) as watcher:
        run = Rollout(connection.forks, watcher, connection.retries)
        fleet_of = [Desired(server, {}) for server in servers]
        surveyed = run.survey(fleet_of, open_agent, keep=True, look=look)
    outcomes = [each.outcome for each in surveyed]
    try:
        found = [each.outcome for each in surveyed if each.pending]
        if found and not run.interrupted:
            if not yes:
                question.ask(verb, "Put back", found, diff=True)
            with progress(output, steps=True) as run.watcher:
                outcomes = run.put_back(surveyed, verb)
    except KeyboardInterrupt:
        raise click.Abort(AT_ONCE) from None
    finally:
        for each in surveyed:
            each.closing.close()
    return results(verb, run, outcomes, output, diff=True)

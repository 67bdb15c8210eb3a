"""`scimconf rotate`: new tokens, in the transaction that `apply` makes."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.errors import UsageError
from scimconf.fleet.batches import strategy
from scimconf.run.changes import ChangeOptions
from scimconf.run.options import ConnectionOptions, RolloutOptions, SourceOptions
from scimconf.run.rotate import RotateOptions, rotate
from scimconf.run.which_tokens import Mode, Wanted


def _age(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([dw])", value, re.ASCII)
    if not found:
        raise click.BadParameter(f"{value!r} is no age, such as 90d or 12w", context, parameter)
    return timedelta(days=int(found[1]) * (7 if found[2] == "w" else 1))


@click.command("rotate")
@options.pattern
@options.source
@options.realm
@options.option(
    "--older-than",
    variable="OLDER_THAN",
    callback=_age,
    metavar="AGE",
    help="Only tokens that were made longer ago: 90d, 12w.",
)
@click.option("--stage", is_flag=True, help="Make the next token; touch no server yet.")
@click.option("--activate", is_flag=True, help="Put staged tokens in force.")
@click.option("--back", is_flag=True, help="Put the previous tokens in force again (7 days).")
@options.option("--diff", variable="DIFF", is_flag=True, help="Show the change, masked.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the first change.")
@options.lock_timeout
@options.rollout
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    older_than: timedelta | None,
    stage: bool,
    activate: bool,
    back: bool,
    diff: bool,
    yes: bool,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Give the realms of PATTERN's hosts (all if there is none) new tokens.

    At once: the server takes the new token, proves it, and from then on turns the old one away,
    until the new one is entered at the identity provider. Or in two steps: --stage makes the next
    token, which can be handed over in advance, and --activate cuts over. --back returns to the
    token before.
    """
    mode = _mode(stage=stage, activate=activate, back=back)
    person = Terminal(vault, output)
    if not yes and mode != "stage":
        person.must_answer("rotate")
    start_log(output)
    how = ChangeOptions(
        strategy(rollout.serial, rollout.canary, rollout.max_fail),
        lock_timeout,
        yes=yes,
        diff=diff,
    )
    result = rotate(
        RotateOptions(
            *(source, pattern, connection, how, rollout.order),
            Wanted(mode, realms, older_than),
            writes=output.files,
        ),
        person,
    )
    return results(result, output, diff=diff)


def _mode(**flags: bool) -> Mode:
    """Return what the options say. Raises UsageError for two at once."""
    modes: dict[str, Mode] = {"stage": "stage", "activate": "activate", "back": "back"}
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"--{' and --'.join(given)} exclude each other", "give one of them")
    return modes[given[0]] if given else "at once"

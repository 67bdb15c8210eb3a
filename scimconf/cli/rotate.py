"""`scimconf rotate`: replace tokens, with the same transaction as `apply`."""

from __future__ import annotations

import logging
from datetime import timedelta

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.errors import UsageError
from scimconf.run.changes import ChangeOptions, strategy_of
from scimconf.run.options import (
    ConnectionOptions,
    DeliveryOptions,
    RolloutOptions,
    SourceOptions,
)
from scimconf.run.rotate import RotateOptions, rotate
from scimconf.run.which_tokens import Mode, Wanted

_log = logging.getLogger(__name__)


@options.verb("rotate")
@options.pattern
@options.sharded_source
@options.realm
@options.older_than("Replace")
@options.option(
    "--stage",
    variable=False,
    is_flag=True,
    help="Create the next token. Contact no server yet.",
)
@options.option(
    "--replace-staged",
    variable=False,
    is_flag=True,
    help="With --stage: also replace tokens that are staged already.",
)
@options.option("--activate", variable=False, is_flag=True, help="Put the staged tokens in force.")
@options.option(
    "--back",
    variable=False,
    is_flag=True,
    help="Put the previous tokens back in force, within 7 days.",
)
@options.wait
@options.option(
    "--no-fallback",
    variable=False,
    is_flag=True,
    help="Leave a leaked token out of force, even if the identity provider fails (deliver).",
)
@options.diff
@options.yes
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
    older_than: timedelta | None,
    stage: bool,
    replace_staged: bool,
    activate: bool,
    back: bool,
    minutes: int | None,
    no_fallback: bool,
    diff: bool,
    yes: bool,
    delivery: DeliveryOptions,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Replace bearer tokens with new ones.

    By default each server gets its new token at once and refuses the old one. The identity
    provider is locked out until the new token is entered there.

    To shorten that time, rotate in two steps: --stage creates the next token, so that you can hand
    it over in advance. Later, --activate puts it in force. --back returns to the previous token.

    A realm with deliver in the inventory is changed at both ends: its identity provider is paused,
    gets the new token, tests it, and is started again. If that fails, both keep the old token.
    """
    mode = _mode(stage=stage, activate=activate, back=back)
    if replace_staged and mode != "stage":
        raise UsageError("--replace-staged needs --stage", "see: scimconf rotate --help")
    if minutes is not None and mode == "stage":
        raise UsageError("--wait and --stage exclude each other", "use --wait with --activate")
    person = Terminal(vault, output, changes=True)
    if not yes and mode != "stage":
        person.must_answer("rotate")
    start_log(output)
    how = ChangeOptions(
        strategy_of(rollout, source.shard),
        lock_timeout,
        yes=yes,
        diff=diff,
        shard=source.shard,
    )
    result = rotate(
        RotateOptions(
            *(source, pattern, connection, how),
            Wanted(mode, realms, older_than, replace_staged),
            writes=output.files,
            minutes=minutes,
            delivery=delivery,
            fallback=not no_fallback,
        ),
        person,
    )
    return results(result, output, diff=diff, shard=source.shard)


def _mode(**flags: bool) -> Mode:
    """Return the mode that the flags select. Raises UsageError for more than one flag."""
    modes: dict[str, Mode] = {"stage": "stage", "activate": "activate", "back": "back"}
    given = [name for name, is_given in flags.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"--{' and --'.join(given)} exclude each other", "give one of them")
    return modes[given[0]] if given else "at once"

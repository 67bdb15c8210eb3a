"""The question before the first change."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from scimconf.cli.streams import err
from scimconf.cli.terminal import terminal
from scimconf.errors import UsageError
from scimconf.model import Outcome
from scimconf.report.text import show


def may_ask(verb: str) -> None:
    """Raise UsageError where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask on", f"give --yes to {verb} without being asked")


def ask(
    verb: str, what: str, outcomes: Sequence[Outcome], *, diff: bool, in_batches: str = ""
) -> None:
    """Show what is to be done on stderr (results go to stdout) and ask.

    `what` is done to the servers: "Change", and perhaps " in batches of 1, 5". Raises click.Abort
    for a no.
    """
    show(terminal(stderr=True), verb, outcomes, diff=diff)
    servers = "this server" if len(outcomes) == 1 else f"these {len(outcomes)} servers"
    try:
        agreed = click.confirm(f"\n{what} {servers}{in_batches}?", err=True)
    except click.Abort:
        err("")  # the line of the question is not ended
        agreed = False
    if not agreed:
        raise click.Abort("nothing was changed")

"""The question before the first change."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from scimconf.cli.streams import err
from scimconf.cli.terminal import terminal
from scimconf.errors import Stopped, UsageError
from scimconf.model import Outcome, Reference
from scimconf.report.text import show
from scimconf.sanitize import visible
from scimconf.tokens.references import SOURCES


def may_ask(verb: str) -> None:
    """Raise UsageError where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask on", f"give --yes to {verb} without being asked")


_NO_REFERENCES: Mapping[Reference, str] = {}


def ask(
    verb: str,
    what: str,
    outcomes: Sequence[Outcome],
    *,
    diff: bool,
    in_batches: str = "",
    references: Mapping[Reference, str] = _NO_REFERENCES,
) -> None:
    """Show what is to be done on stderr (results go to stdout) and ask.

    `what` is done to the servers: "Change", and perhaps " in batches of 1, 5". `references`: what
    is run or read on this machine for it, and for which realm. Raises click.Abort for a no.
    """
    show(terminal(stderr=True), verb, outcomes, diff=diff)
    if references:
        err("\nTokens that are kept elsewhere are fetched on this machine first:")
    for reference, realm in references.items():
        err(f"  {visible(SOURCES[reference.kind].describe(reference))}  ({realm})")
    servers = "this server" if len(outcomes) == 1 else f"these {len(outcomes)} servers"
    if outcomes:
        confirm(f"{what} {servers}{in_batches}?")
    else:
        confirm("Fetch them, and compare them with what the servers have?")


def confirm(question: str) -> None:
    """Ask a question; raises Stopped for a no."""
    try:
        agreed = click.confirm(f"\n{question}", err=True)
    except click.Abort:
        err("")  # the line of the question is not ended
        agreed = False
    if not agreed:
        raise Stopped("nothing was changed")

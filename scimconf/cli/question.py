"""Ask for consent before the first change."""

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
    """Raise UsageError if there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"{verb} asks before the first change, and there is no terminal to answer on",
            "to go on without a question, add --yes to this command",
        )


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
    """Show the plan on stderr (stdout is for results) and ask for consent.

    `what` begins the question: "Change". `references`: what is run or read on this machine, and for
    which realm. Raises Stopped for a no.
    """
    show(terminal(stderr=True), verb, outcomes, diff=diff)
    if references:
        err("\nTokens from external stores are fetched first. This machine will:")
    for reference, realm in references.items():
        err(f"  {visible(SOURCES[reference.kind].describe(reference))}  ({realm})")
    servers = "this server" if len(outcomes) == 1 else f"these {len(outcomes)} servers"
    if outcomes:
        confirm(f"{what} {servers}{in_batches}?")
    else:
        confirm("Fetch them, and compare them with the tokens on the servers?")


def confirm(question: str) -> None:
    """Ask a yes/no question. Raises Stopped for a no."""
    try:
        agreed = click.confirm(f"\n{question}", err=True)
    except click.Abort:
        err("")  # end the line of the question
        agreed = False
    if not agreed:
        raise Stopped("nothing was changed")

"""`scimconf handoff`: what to enter at the identity provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scimconf.cli import options
from scimconf.cli.help import OUTPUT
from scimconf.cli.options import SourceOptions, VaultOptions
from scimconf.cli.streams import err, out
from scimconf.errors import UsageError
from scimconf.model import Server

if TYPE_CHECKING:
    from scimconf.report.handoff import Form
    from scimconf.tokens.keyring import Keyring


@options.verb("handoff")
@options.pattern
@options.source
@options.realm
@options.show_tokens
@options.option(
    "--next",
    "staged",
    variable=False,
    is_flag=True,
    help="Use the tokens that rotate --stage has created.",
)
@options.option(
    "--format",
    "form",
    section=OUTPUT,
    variable=False,
    type=click.Choice(["text", "markdown", "html"]),
    metavar="FORMAT",
    default="text",
    help="Print text, a markdown check list, or html to print on paper.  [default: text]",
)
@options.option(
    "--out",
    "file",
    section=OUTPUT,
    variable=False,
    type=options.NEW_FILE,
    help="Write to FILE (mode 0600) instead of printing. An existing file is replaced.",
)
@options.vault
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    show_tokens: bool,
    staged: bool,
    form: Form,
    file: Path | None,
    vault: VaultOptions,
) -> None:
    """Print what to enter at the identity provider.

    Prints one sheet for each realm. Contacts no server. Tokens are masked without --show-tokens.
    """
    from scimconf.cli import fleet
    from scimconf.foreign import harmless
    from scimconf.report.handoff import handoff
    from scimconf.report.sheet import sheet
    from scimconf.tokens import durable

    servers = fleet.select(
        fleet.load(source, writes=(file,) if file else ()), pattern, source.limit
    )
    keyring = fleet.keyring(source, fleet.VaultPassword(vault))
    if staged:
        keyring, servers = _staged(keyring, servers)
    elif show_tokens:
        keyring.fetch(servers)
    tokens = keyring.tokens(servers) if show_tokens else {}
    starts = "from the cut-over on" if staged else ""
    sheets = [
        sheet(server, realm, tokens.get(server.name, {}).get(realm.string_id), starts)
        for server in servers
        for realm in server.realms
        if realm.present and (not realms or realm.string_id in realms)
    ]
    if not sheets and staged:
        raise UsageError(
            "no token is staged for these realms", "create one first: scimconf rotate --stage"
        )
    if not sheets:
        raise click.UsageError("no realm to hand off: none of the servers has this realm")
    text = handoff(sheets, form)
    text = harmless(text, len(text))
    if file:
        durable.put(file, text)
        err(f"wrote {file}: {len(sheets)} sheet{'' if len(sheets) == 1 else 's'}")
    else:
        out(text, end="\n" if form == "text" else "")


def _staged(keyring: Keyring, servers: Sequence[Server]) -> tuple[Keyring, list[Server]]:
    """Return a keyring in which the staged tokens are in use, and the realms that have one."""
    from scimconf.tokens.rotation import activated

    narrowed, keys = [], set()
    for server in servers:
        entries = {
            realm: keyring.file.entry(server.deployment, realm.string_id)
            for realm in server.realms
            if realm.present and realm.token is None
        }
        ours = tuple(realm for realm, entry in entries.items() if entry and entry.next)
        narrowed.append(replace(server, realms=ours))
        keys |= {(server.deployment, realm.string_id) for realm in ours}
    return keyring.turned(keys, activated), narrowed

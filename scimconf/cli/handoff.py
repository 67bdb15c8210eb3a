"""`scimconf handoff`: what to type into the identity provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scimconf.cli import options
from scimconf.cli.options import SourceOptions, VaultOptions
from scimconf.cli.streams import err, out
from scimconf.errors import UsageError
from scimconf.model import Server

if TYPE_CHECKING:
    from scimconf.report.handoff import Form
    from scimconf.tokens.keyring import Keyring


@click.command("handoff")
@options.pattern
@options.source
@options.realm
@click.option(
    "--show-tokens", is_flag=True, help="Print the tokens, too; needs the vault password."
)
@click.option("--next", "staged", is_flag=True, help="Of the tokens that rotate --stage has made.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "html"]),
    default="text",
    show_default=True,
    help="markdown: a check list; html: one file to print, a page for each realm.",
)
@click.option(
    "--out",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a new file (0600) in place of printing; one that is there is replaced.",
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
    """Print, per realm, what its identity provider's administrator has to enter.

    Asks no server. Tokens are masked unless --show-tokens is given.
    """
    from scimconf import files
    from scimconf.cli import fleet
    from scimconf.foreign import harmless
    from scimconf.report.handoff import handoff
    from scimconf.report.sheet import sheet

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
        raise UsageError("no token is staged there", "make one first: scimconf rotate --stage")
    if not sheets:
        raise click.UsageError("no realm to hand off: none of the servers has such a one")
    text = handoff(sheets, form)
    text = harmless(text, len(text))
    if file:
        files.write_output(file, text)
        err(f"wrote {file}: {len(sheets)} sheet{'' if len(sheets) == 1 else 's'}")
    else:
        out(text, end="\n" if form == "text" else "")


def _staged(keyring: Keyring, servers: Sequence[Server]) -> tuple[Keyring, list[Server]]:
    """Give the realms that have a staged token, and a keyring in which it is in force."""
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

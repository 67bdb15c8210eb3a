"""`scimconf handoff`: what to type into the identity provider."""

from __future__ import annotations

import click

from scimconf.cli import options
from scimconf.cli.options import SourceOptions, VaultOptions
from scimconf.cli.streams import out


@click.command("handoff")
@options.pattern
@options.source
@options.option(
    "--realm", "realms", variable="REALM", multiple=True, help='Only these realms; "" is the root.'
)
@click.option(
    "--show-tokens", is_flag=True, help="Print the tokens, too; needs the vault password."
)
@options.vault
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    show_tokens: bool,
    vault: VaultOptions,
) -> None:
    """Print, per realm, what its identity provider's administrator has to enter.

    Asks no server. Tokens are masked unless --show-tokens is given.
    """
    from scimconf.cli import fleet
    from scimconf.foreign import harmless
    from scimconf.report.handoff import handoff

    servers = fleet.select(fleet.load(source), pattern, source.limit)
    keyring = fleet.keyring(source, fleet.VaultPassword(vault))
    if show_tokens:
        keyring.fetch(servers)
    tokens = keyring.tokens(servers) if show_tokens else {}
    sheets = [
        handoff(server, realm, tokens.get(server.name, {}).get(realm.string_id))
        for server in servers
        for realm in server.realms
        if realm.present and (not realms or realm.string_id in realms)
    ]
    if not sheets:
        raise click.UsageError("no realm to hand off: none of the servers has one of that name")
    sheet = "\n".join(sheets)
    out(harmless(sheet, len(sheet)))

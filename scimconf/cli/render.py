"""`scimconf render`: the block itself, without asking any server."""

from __future__ import annotations

from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.options import SourceOptions, VaultOptions


@click.command("render")
@click.argument("host")
@options.source
@click.option(
    "--zulip-version",
    envvar="SCIMCONF_ZULIP_VERSION",
    help="Leave out what this version does not know.  [default: leave out nothing]",
)
@click.option("--show-tokens", is_flag=True, help="Print the tokens; needs the vault password.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="Edit this settings.py in place, tokens included, in place of printing.",
)
@click.option(
    "--secrets",
    type=click.Path(path_type=Path),
    help="And this zulip-secrets.conf, where scim_token_store is `secrets`.",
)
@click.option(
    "--create-tokens",
    is_flag=True,
    envvar="SCIMCONF_CREATE_TOKENS",
    help="Make the tokens that are missing, and keep them in the token file.",
)
@options.vault
def command(
    host: str,
    source: SourceOptions,
    zulip_version: str | None,
    show_tokens: bool,
    settings: Path | None,
    secrets: Path | None,
    create_tokens: bool,
    vault: VaultOptions,
) -> None:
    """Print HOST's SCIM_CONFIG block, tokens masked; or edit files with it, offline.

    Connects to nothing, restarts nothing. What needs zulip-secrets.conf is printed below the
    block.
    """
    from scimconf import render
    from scimconf.cli import fleet

    if secrets and not settings:
        raise click.UsageError("--secrets goes with --settings")
    (server,) = fleet.select(fleet.load(source), (host,), source.limit)
    keyring = fleet.keyring(source, fleet.VaultPassword(vault))
    if not (show_tokens or settings):
        rendered = render.masked(keyring.desired(server), zulip_version)
    else:
        keyring.fetch([server])
        if create_tokens:
            keyring.make([server])
        tokens = keyring.tokens([server]).get(server.name, {})
        rendered = render.clear(server, tokens, zulip_version)
    for warning in rendered.warnings:
        click.echo(f"warning: {warning}", err=True)
    if settings:
        for changed in render.edit(rendered, settings, secrets):
            click.echo(f"changed {changed}")
    else:
        click.echo(rendered.text(), nl=False)

"""`scimconf render`: the block itself, without asking any server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from scimconf.cli import completion, options
from scimconf.cli.options import SourceOptions, VaultOptions
from scimconf.cli.streams import err, out
from scimconf.errors import ScimconfError, UsageError
from scimconf.model import Server


@click.command("render")
@click.argument("host", shell_complete=completion.hosts)
@options.source
@options.option(
    "--zulip-version",
    variable="ZULIP_VERSION",
    help="Leave out what this version does not know.  [default: leave out nothing]",
)
@options.option(
    "--for",
    "form",
    variable="FOR",
    type=click.Choice(["docker-env"]),
    help="Print it as the environment of docker-zulip, an env file (docs/docker.md).",
)
@click.option("--show-tokens", is_flag=True, help="Print the tokens; needs the vault password.")
@options.option(
    "--settings",
    variable="SETTINGS",
    type=click.Path(path_type=Path),
    help="Edit this settings.py in place, tokens included, in place of printing.",
)
@options.option(
    "--secrets",
    variable="SECRETS",
    type=click.Path(path_type=Path),
    help="And this zulip-secrets.conf, where scim_token_store is `secrets`.",
)
@options.option(
    "--create-tokens",
    variable="CREATE_TOKENS",
    is_flag=True,
    help="Make the tokens that are missing, and keep them in the token file.",
)
@options.vault
def command(
    host: str,
    source: SourceOptions,
    zulip_version: str | None,
    form: str | None,
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
    docker = form == "docker-env"
    if docker and settings:
        raise click.UsageError("--for docker-env prints; it goes without --settings")
    if zulip_version is not None:
        _check_version(zulip_version)
    server = _one(fleet.select(fleet.load(source), (host,), source.limit), host)
    warnings = [*render.container_warnings(server, zulip_version)] if docker else []
    if docker:
        server = render.in_container(server)
    keyring = fleet.keyring(source, vault)
    if not (show_tokens or settings):
        rendered = render.masked(keyring.desired(server), zulip_version)
    else:
        keyring.fetch([server])
        if create_tokens:
            keyring.make([server])
        tokens = keyring.tokens([server]).get(server.name, {})
        rendered = render.clear(server, tokens, zulip_version)
    for warning in (*rendered.warnings, *warnings):
        err(f"warning: {warning}")
    if settings:
        for changed in render.edit(rendered, settings, secrets):
            out(f"changed {changed}")
    elif docker:
        out(rendered.environment(masked=not show_tokens), end="")
    else:
        out(rendered.text(), end="")


def _check_version(text: str) -> None:
    from scimconf.zulip import versions

    try:
        versions.parse(text)
    except ScimconfError as error:
        raise UsageError(error.message, error.hint) from None


def _one(servers: Sequence[Server], host: str) -> Server:
    if len(servers) > 1:
        names = ", ".join(server.name for server in servers)
        raise click.UsageError(f"render takes one host; {host!r} names {len(servers)}: {names}")
    return servers[0]

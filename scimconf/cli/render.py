"""`scimconf render`: print the SCIM_CONFIG block without contacting a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from scimconf import render
from scimconf.cli import completion, options
from scimconf.cli.help import OUTPUT, Argument
from scimconf.cli.options import VaultOptions
from scimconf.cli.person import Terminal
from scimconf.cli.streams import err, out
from scimconf.errors import ScimconfError, UsageError
from scimconf.model import Server
from scimconf.run.options import SourceOptions
from scimconf.run.start import start
from scimconf.zulip import versions


@options.verb("render")
@click.argument(
    "host",
    cls=Argument,
    text="Select one host.",
    shell_complete=completion.hosts,
)
@options.source
@options.option(
    "--zulip-version",
    metavar="VERSION",
    help="Leave out keys that this version of Zulip does not support.",
)
@options.option(
    "--for",
    "form",
    section=OUTPUT,
    type=click.Choice(["docker-env"]),
    metavar="FORM",
    help="Print an env file for docker-zulip. FORM is docker-env.",
)
@options.show_tokens
@options.option(
    "--settings",
    type=options.FILE,
    metavar="FILE",
    help="Edit this settings.py, instead of printing. Writes tokens in clear text.",
)
@options.option(
    "--secrets",
    type=options.FILE,
    metavar="FILE",
    help="With --settings: edit this zulip-secrets.conf too, if scim_token_store is secrets.",
)
@options.option(
    "--create-tokens",
    is_flag=True,
    help="Create missing tokens, and store them in the token file.",
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
    """Print the SCIM_CONFIG block of a host, or edit files.

    Contacts no server and restarts nothing. Tokens are masked without --show-tokens. Lines for
    zulip-secrets.conf follow the block.
    """
    if secrets and not settings:
        raise click.UsageError("--secrets needs --settings")
    docker = form == "docker-env"
    if docker and settings:
        raise click.UsageError("--for and --settings exclude each other: --for only prints")
    if zulip_version is not None:
        _check_version(zulip_version)
    writes = settings is not None or create_tokens
    begun = start(source, (host,), Terminal(vault, changes=create_tokens), changes=writes)
    server = _one(begun.servers, host)
    warnings = [*render.container_warnings(server, zulip_version)] if docker else []
    if docker:
        server = render.in_container(server)
    keyring = begun.keyring()
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
    try:
        versions.parse(text)
    except ScimconfError as error:
        raise UsageError(error.message, error.hint) from None


def _one(servers: Sequence[Server], host: str) -> Server:
    if len(servers) > 1:
        names = ", ".join(server.name for server in servers)
        raise click.UsageError(
            f"render takes one host, but {host!r} matches {len(servers)}: {names}"
        )
    return servers[0]

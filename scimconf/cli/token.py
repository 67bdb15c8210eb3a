"""`scimconf token`: print strong tokens; `token migrate`: rewrite an old token file."""

from __future__ import annotations

from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.options import VaultOptions
from scimconf.cli.streams import err, out

CHARSETS = ("ascii_62", "ascii_50", "hex")


@click.group(
    "token",
    invoke_without_command=True,
    short_help="Print random tokens: 43 letters and digits each, 256 bits.",
)
@options.option(
    "--entropy",
    variable="ENTROPY",
    type=click.IntRange(1),
    metavar="BITS",
    help="Bits of randomness.  [default: 256; 128 with --phrase]",
)
@options.option(
    "--length",
    variable="LENGTH",
    type=click.IntRange(1),
    metavar="N",
    help="Number of characters, instead of --entropy.",
)
@options.option(
    "--charset",
    variable="CHARSET",
    type=click.Choice(CHARSETS),
    help="ascii_62: letters and digits; ascii_50: without look-alikes.  [default: ascii_62]",
)
@options.option(
    "--phrase", variable="PHRASE", is_flag=True, help="Print words, for people who type it."
)
@options.option(
    "--count",
    variable="COUNT",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of tokens.",
)
@click.pass_context
def command(
    context: click.Context,
    entropy: int | None,
    length: int | None,
    charset: str | None,
    phrase: bool,
    count: int,
) -> None:
    """Print random tokens, one per line; by default 43 letters and digits (256 bits).

    Refuses tokens that are weaker than 20 letters and digits (119 bits).
    """
    if context.invoked_subcommand:
        return
    from scimconf.tokens import generate

    if phrase and (length is not None or charset is not None):
        raise click.UsageError("use --entropy with --phrase, not --length or --charset")
    if entropy is not None and length is not None:
        raise click.UsageError("--entropy and --length exclude each other")
    for _ in range(count):
        if phrase:
            token = generate.phrase(entropy or 128)
        else:
            token = generate.generate(entropy or 256, length, charset or "ascii_62")
        out(token.reveal())


@command.command("migrate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@options.vault
def migrate(file: Path, vault: VaultOptions) -> None:
    """Rewrite a token file of format 1 in format 2, which binds each token to its place.

    Needs every vault password of the file. Run it once, on a file that nobody else has changed:
    an entry that was moved is bound to its new place.
    """
    from scimconf.cli.vault_password import VaultPassword
    from scimconf.tokens.migration import migrate as rewrite

    elsewhere = rewrite(file, VaultPassword(vault)())
    out(f"{file} now has format 2")
    for deployment, realm in elsewhere:
        err(
            f"left out: realm {realm or '(root)'} of {deployment}; its token is kept elsewhere and "
            "scimconf apply records it again"
        )

"""`scimconf token`: generate tokens; `token migrate`: convert an old token file."""

from __future__ import annotations

from pathlib import Path

import click

from scimconf.cli import options, variables
from scimconf.cli.help import Argument
from scimconf.cli.options import VaultOptions
from scimconf.cli.streams import err, out
from scimconf.tokens import generate

CHARSETS = ("ascii_62", "ascii_50", "hex")


@options.group("token", invoke_without_command=True)
@options.option(
    "--entropy",
    type=click.IntRange(1),
    metavar="BITS",
    help="Set the bits of randomness.  [default: 256, with --phrase 128]",
)
@options.option(
    "--length",
    type=click.IntRange(1),
    metavar="N",
    help="Set the number of characters, instead of --entropy.",
)
@options.option(
    "--charset",
    type=click.Choice(CHARSETS),
    metavar="CHARSET",
    help="Use ascii_62 (letters and digits), ascii_50 (no look-alikes) or hex.  "
    "[default: ascii_62]",
)
@options.option("--phrase", is_flag=True, help="Generate words, which are easier to type.")
@options.option(
    "--count",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=1,
    help="Generate N tokens.  [default: 1]",
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
    """Generate strong bearer tokens.

    Prints one token per line. By default a token has 43 letters and digits (256 bits). Less than
    119 bits (20 letters and digits) is refused.
    """
    if context.invoked_subcommand:
        return
    variables.check()
    if phrase and (length is not None or charset is not None):
        raise click.UsageError("--phrase takes --entropy, but not --length or --charset")
    if entropy is not None and length is not None:
        raise click.UsageError("--entropy and --length exclude each other: give one of them")
    for _ in range(count):
        if phrase:
            token = generate.phrase(entropy or 128)
        else:
            token = generate.generate(entropy or 256, length, charset or "ascii_62")
        out(token.reveal())


@command.command("migrate")
@click.argument(
    "file",
    cls=Argument,
    type=options.NEW_FILE,
    text="Convert this token file.",
)
@options.vault
def migrate(file: Path, vault: VaultOptions) -> None:
    """Convert a token file from format 1 to format 2.

    Format 2 binds each token to its deployment and realm. Needs every vault password of the file.

    Make sure that nobody has moved entries in the file: a token is bound to the place where it is
    found.
    """
    from scimconf.cli.vault_password import VaultPassword
    from scimconf.tokens.migration import migrate as rewrite

    elsewhere = rewrite(file, VaultPassword(vault)())
    out(f"{file} now has format 2")
    for deployment, realm in elsewhere:
        err(
            f"left out: realm {realm or '(root)'} of {deployment}: its token is in an external "
            "store, and scimconf apply records it again"
        )

"""`scimconf token`: print good tokens."""

from __future__ import annotations

import click

CHARSETS = ("ascii_62", "ascii_50", "hex")


@click.command("token")
@click.option(
    "--entropy",
    type=click.IntRange(1),
    envvar="SCIMCONF_ENTROPY",
    help="Bits of randomness.  [default: 256; 128 with --phrase]",
)
@click.option(
    "--length",
    type=click.IntRange(1),
    envvar="SCIMCONF_LENGTH",
    help="Characters, in place of --entropy.",
)
@click.option(
    "--charset",
    type=click.Choice(CHARSETS),
    default="ascii_62",
    show_default=True,
    envvar="SCIMCONF_CHARSET",
    help="ascii_62: letters and digits; ascii_50: without look-alikes.",
)
@click.option(
    "--phrase", is_flag=True, envvar="SCIMCONF_PHRASE", help="Words, for people who must type it."
)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    envvar="SCIMCONF_COUNT",
    help="How many.",
)
def command(
    entropy: int | None, length: int | None, charset: str, phrase: bool, count: int
) -> None:
    """Print tokens, one a line: 43 letters and digits (256 bits) if nothing else is asked for.

    Refuses what is weaker than 20 letters and digits (119 bits).
    """
    from scimconf.tokens import generate

    if phrase and length is not None:
        raise click.UsageError("--phrase goes by --entropy, not by --length")
    if entropy is not None and length is not None:
        raise click.UsageError("--entropy and --length are two ways to say one thing: give one")
    for _ in range(count):
        if phrase:
            token = generate.phrase(entropy or 128)
        else:
            token = generate.generate(entropy or 256, length, charset)
        click.echo(token.reveal())

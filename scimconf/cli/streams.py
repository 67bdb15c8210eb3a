"""What is printed: results on stdout, everything else on stderr. Nothing breaks over a reader."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from scimconf.errors import ScimconfError
from scimconf.sanitize import escape_ci_commands, sanitize


def out(text: str, *, end: str = "\n") -> None:
    """Print a result. A reader that has had enough (`| head`) is no error.

    Raises ScimconfError where stdout cannot be written: a full disk.
    """
    try:
        click.echo(f"{text}{end}", nl=False)
    except BrokenPipeError:
        _mute(sys.stdout)
    except OSError as error:
        _mute(sys.stdout)
        raise ScimconfError(
            f"cannot write the output: {error.strerror}",
            "what was done before is done; `scimconf plan` shows how the servers stand",
        ) from None


def err(text: str) -> None:
    """Print what is no result; if nobody can read it, go on all the same.

    The text is sanitized: servers and inventories have a part in its wording.
    """
    text = escape_ci_commands(text)
    try:
        # Named, or click would write past live progress, which then overwrites the line.
        click.echo(sanitize(text, 20_000), file=sys.stderr)
    except OSError:
        _mute(sys.stderr)


def _mute(stream: TextIO) -> None:
    """Lead what the stream still holds to nowhere: Python would fail over it at its end."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

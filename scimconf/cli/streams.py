"""Print results on stdout, and everything else on stderr. A closed pipe is not an error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from scimconf.errors import ScimconfError
from scimconf.sanitize import escape_ci_commands, sanitize


def out(text: str, *, end: str = "\n") -> None:
    """Print a result. A closed pipe (`| head`) is not an error.

    Raises ScimconfError if stdout cannot be written, for example on a full disk.
    """
    try:
        click.echo(f"{text}{end}", nl=False)
    except BrokenPipeError:
        _mute(sys.stdout)
    except OSError as error:
        _mute(sys.stdout)
        raise ScimconfError(
            f"cannot write the output: {error.strerror}",
            "changes made so far remain; to see the state of the servers: scimconf plan",
        ) from None


def err(text: str) -> None:
    """Print a message. If stderr cannot be written, go on.

    The text is sanitized: servers and inventories have a part in its wording.
    """
    text = escape_ci_commands(text)
    try:
        # Named, or click would write past live progress, which then overwrites the line.
        click.echo(sanitize(text, 20_000), file=sys.stderr)
    except OSError:
        _mute(sys.stderr)


def _mute(stream: TextIO) -> None:
    """Send the rest of the stream to /dev/null: Python would fail at exit when it flushes."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)

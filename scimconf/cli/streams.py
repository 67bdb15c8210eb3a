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
            "changes made so far remain; to see the state of the servers, run plan for them",
        ) from None


def err(text: str) -> None:
    """Print a message. If stderr cannot be written, continue without it.

    The text is sanitized, because it may contain text from servers and inventories.
    """
    text = escape_ci_commands(text)
    try:
        # Without `file`, click would bypass live progress, which would overwrite the line.
        click.echo(sanitize(text, 20_000), file=sys.stderr)
    except OSError:
        _mute(sys.stderr)


def _mute(stream: TextIO) -> None:
    """Redirect the stream to /dev/null. Otherwise Python's flush at exit would fail."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)

"""Send our warnings, and with -vvv paramiko's log, to stderr."""

from __future__ import annotations

import logging

from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import err
from scimconf.secret import RedactingFormatter


class _Stderr(logging.Handler):
    """Writes to the current sys.stderr, because live progress replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        err(self.format(record))


def start_log(output: OutputOptions) -> None:
    """Send warnings, and with -vvv paramiko's log, to stderr, with tokens redacted."""
    ours, paramikos = _Stderr(), _Stderr()
    ours.setFormatter(RedactingFormatter("warning: %(message)s"))
    paramikos.setFormatter(RedactingFormatter("%(name)s: %(message)s"))
    _send("scimconf", ours, logging.ERROR if output.quiet else logging.WARNING)
    if output.verbose >= 3:
        _send("paramiko", paramikos, logging.DEBUG)


def _send(name: str, handler: logging.Handler, level: int) -> None:
    logger = logging.getLogger(name)
    logger.handlers[:] = [handler]
    logger.setLevel(level)

"""ssh_config's ProxyCommand: a program whose stdin and stdout are the connection to the server.

paramiko has one of its own, which reads a byte at a time and leaves its children behind.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from scimconf.errors import Unreachable
from scimconf.sanitize import one_line
from scimconf.ssh.process import end
from scimconf.ssh.stream import Socket

_MOST_SAID = 1 << 14


@contextmanager
def through(command: str) -> Iterator[Socket]:
    """Run the command and give the connection that it makes; end it afterwards.

    As ssh does it, the user's shell replaces itself by the command (ssh_config(5)), but in a
    session of its own: it can ask nothing on the terminal, where many of them would ask at once,
    and Ctrl-C does not cut a server off. Raises Unreachable with what it said.
    """
    near, far = socket.socketpair()
    with Socket(fileno=near.detach()) as connection, far, tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                stdin=far.fileno(),
                stdout=far.fileno(),
                stderr=said,
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(
                "connect",
                f"the ProxyCommand cannot be started: {error.strerror}",
                "is SHELL right?",
            ) from error
        far.close()
        try:
            yield connection
        except Unreachable as error:
            connection.close()
            raise _with_its_words(error, end(process), said.fileno()) from error
        finally:
            connection.close()
            end(process)


def _with_its_words(error: Unreachable, status: int | None, said: int) -> Unreachable:
    words = one_line(os.pread(said, _MOST_SAID, 0), 200)
    if error.step != "connect" or not (words or status):
        return error
    return Unreachable(
        error.step,
        f"{error.message}; the ProxyCommand of ssh_config ended with status {status}"
        + (f": {words}" if words else ""),
        "does it work by hand? It can ask nothing: keys with a passphrase go into ssh-agent",
    )

"""ProxyCommand: a program whose stdin and stdout are the connection to a server.

paramiko's own ProxyCommand reads one byte at a time and leaves its children running.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from scimconf import child
from scimconf.errors import Unreachable
from scimconf.sanitize import one_line
from scimconf.ssh.route import ProxyCommand
from scimconf.ssh.stream import Socket
from scimconf.ssh.transport import NoHandshakeError

_MOST_STDERR = 1 << 14


@contextmanager
def through(proxy: ProxyCommand) -> Iterator[Socket]:
    """Run the command and return the connection that it makes; end the command afterwards.

    As in ssh, the user's shell replaces itself by the command (ssh_config(5)). But the command runs
    in a session of its own: it cannot ask questions on the terminal, since many would ask at the
    same time, and Ctrl-C does not end it. Raises Unreachable if the command fails.
    """
    near, far = socket.socketpair()
    with Socket(fileno=near.detach()) as connection, far, tempfile.TemporaryFile() as stderr:
        try:
            with child.unreached_by_ctrl_c():
                process = subprocess.Popen(
                    [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {proxy.command}"],
                    stdin=far.fileno(),
                    stdout=far.fileno(),
                    stderr=stderr,
                    start_new_session=True,
                )
        except OSError as error:
            raise Unreachable(
                "connect",
                f"cannot start a shell for the ProxyCommand: {error.strerror}",
                "check the environment variable SHELL",
            ) from error
        far.close()
        try:
            yield connection
        except NoHandshakeError as error:
            connection.close()
            raise _failure(proxy, error, child.end(process), stderr.fileno()) from error
        finally:
            connection.close()
            child.end(process)


def _failure(
    proxy: ProxyCommand, error: NoHandshakeError, status: int | None, stderr: int
) -> Unreachable:
    if error.seconds is not None:
        how = f"made no SSH connection within {error.seconds:g} s"
    elif status is not None and status >= 0:
        how = f"{child.how_ended(status)} before SSH started"
    else:
        how = "closed the connection before SSH started"
    lines = os.pread(stderr, _MOST_STDERR, 0).strip().splitlines()
    last = one_line(lines[-1], 200) if lines else ""
    command = one_line(proxy.command, 200)
    return Unreachable(
        error.step,
        f"the ProxyCommand `{command}` {how}" + (f": {last}" if last else ""),
        f"it is set in {proxy.source}; run it by hand. It cannot ask questions here: load a key "
        "with a passphrase into the ssh agent (ssh-add)",
    )

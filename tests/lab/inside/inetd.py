"""Start an `sshd -i` for each SSH connection.

So the lab owns the port from start to end, does not guess a free port, and waits for one daemon
less. The connection is still served by OpenSSH's sshd, which always uses one process for each.
"""

import os
import subprocess
import threading


class Inetd:
    """Accept connections on the SSH port."""

    def __init__(self, listener, program):
        self._listener = listener
        self._program = program

    def serve(self):
        """Serve forever."""
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, open(self._program["log"], "ab") as log:
            subprocess.Popen(
                self._program["argv"],
                stdin=connection,
                stdout=connection,
                stderr=log,
                env={**os.environ, **self._program["environment"]},
                start_new_session=True,
            )

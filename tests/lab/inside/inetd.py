"""Starts an `sshd -i` for each SSH connection.

So the port belongs to the lab from before the start to the end, no port is ever guessed, and there
is one daemon less to wait for. What answers is OpenSSH's sshd all the same, which starts a process
of its own for each connection anyhow.
"""

import os
import subprocess
import threading


class Inetd:
    """Accepts on the SSH port."""

    def __init__(self, listener, program):
        self._listener = listener
        self._program = program

    def serve(self):
        """Serve for ever."""
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

"""The part of supervisord, for the one program `zulip-django`."""

import contextlib
import os
import socket
import subprocess
import threading


class Supervisor:
    """Start and stop Django, on commands from `supervisorctl` on a Unix socket."""

    def __init__(self, program, address):
        self._program = program
        self._lock = threading.Lock()
        self._process = None
        self._lifeline = None
        self._orders = _listen(address, program["uid"], program["gid"])
        os.chmod(address, 0o700)

    def start(self):
        """Start Django and wait until it is ready. Return the error message, or ""."""
        with self._lock:
            if self._alive():
                return "zulip-django: ERROR (already started)"
            program = self._program
            listener = _listen(program["socket"], program["uid"], program["gid"])
            self._lifeline, ready = os.pipe()
            with open(program["log"], "ab") as log:
                self._process = subprocess.Popen(
                    [*program["argv"], str(listener.fileno()), str(ready)],
                    pass_fds=(listener.fileno(), ready),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=program["cwd"],
                    env=program["environment"],
                    **_identity(program),
                )
            listener.close()
            os.close(ready)
            if os.read(self._lifeline, 5) == b"ready":
                return ""
            self._forget()
            return "zulip-django: ERROR (spawn error)"

    def stop(self):
        """Stop Django and wait for its end."""
        with self._lock:
            if not self._alive():
                return "zulip-django: ERROR (not running)"
            self._process.kill()
            while os.read(self._lifeline, 1):
                pass
            self._forget()
            return ""

    def connect(self):
        """Return a connection to Django. Raise OSError if Django is down."""
        folder, name = _short(self._program["socket"])
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(name)
        except OSError:
            connection.close()
            raise
        finally:
            os.close(folder)
        return connection

    def serve(self):
        """Read commands forever. `VERB PROGRAM` is answered by `EXIT CODE` and lines to print."""
        while True:
            connection, _ = self._orders.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection, connection.makefile("rw") as lines:
            verb, _, name = lines.readline().strip().partition(" ")
            code, text = self._obey(verb, name)
            lines.write(f"{code}\n{text}\n")

    def _obey(self, verb, name):
        if name not in ("zulip-django", "zulip-django:*", "all"):
            return 1, f"{name}: ERROR (no such process)"
        if verb == "status":
            with self._lock:
                alive = self._alive()
            return (0, "zulip-django   RUNNING") if alive else (3, "zulip-django   STOPPED")
        said = []
        if verb in ("stop", "restart"):
            said.append(self.stop() or "zulip-django: stopped")
        if verb in ("start", "restart"):
            problem = self.start()
            said.append(problem or "zulip-django: started")
            if problem:
                return 7, "\n".join(said)
        return (0, "\n".join(said)) if said else (2, f"*** Unknown syntax: {verb}")

    def _alive(self):
        if self._lifeline is None:
            return False
        os.set_blocking(self._lifeline, False)
        try:
            if os.read(self._lifeline, 1) == b"":
                self._forget()
                return False
        except BlockingIOError:
            pass
        os.set_blocking(self._lifeline, True)
        return True

    def _forget(self):
        os.close(self._lifeline)
        self._lifeline = self._process = None


def _listen(address, uid, gid):
    folder, name = _short(address)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(name)
        if os.geteuid() == 0:
            os.chown(name, uid, gid)
    finally:
        os.close(folder)
    listener.listen(64)
    return listener


def _short(address):
    """Return a descriptor to close later, and a short path for a Unix socket.

    The address of a Unix socket has at most 107 bytes.
    """
    folder = os.open(os.path.dirname(address), os.O_PATH | os.O_DIRECTORY)
    return folder, f"/proc/self/fd/{folder}/{os.path.basename(address)}"


def _identity(program):
    if os.geteuid() != 0:
        return {}
    return {"user": program["uid"], "group": program["gid"], "extra_groups": []}

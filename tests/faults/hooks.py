"""Stop the agent where a fault will strike. Runs inside the agent, as one more module.

A stopped agent can be killed, or its environment changed, at a known point and without a sleep.
`process.py` puts `CONFIG` in front of this text. Python >= 3.8, like the agent.
"""

import errno
import os
import signal
import time

from scimconf.agent import gate, probe, transaction

CONFIG = globals().get("CONFIG") or {"root": "", "stops": []}

gate._PAUSE = 0.01
probe.SECONDS = 0.4  # so that a silent web server does not slow a test down

# --- stop before or after a step --------------------------------------------------------------

_run = transaction.Progress.run
_state = {"rollback": False}


def _stopping(self, name, do):
    _state["rollback"] = _state["rollback"] or name == "put back"
    label = "back: " + name if _state["rollback"] else name

    def held():
        _stop(label, "before")
        result = do()
        _stop(label, "after")
        return result

    return _run(self, name, held)


def _stop(label, moment):
    if [label, moment] in CONFIG["stops"]:
        os.kill(os.getpid(), signal.SIGSTOP)


transaction.Progress.run = _stopping

# --- faults that a test cannot make on a real machine -----------------------------------------


def _flag(name):
    """Return the text of a file that the test put into the server's folder; None: there is none."""
    try:
        with open(os.path.join(CONFIG["root"], name)) as file:
            return file.read()
    except OSError:
        return None


_fsync = os.fsync


def _failing_fsync(descriptor):
    how = _flag("fsync-fails")
    if how == "once":
        os.unlink(os.path.join(CONFIG["root"], "fsync-fails"))
    if how is not None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return _fsync(descriptor)


os.fsync = _failing_fsync

_time, _time_ns, _gmtime = time.time, time.time_ns, time.gmtime


def _ahead():
    return int(_flag("clock-is-ahead") or 0)


time.time = lambda: _time() + _ahead()
time.time_ns = lambda: _time_ns() + _ahead() * 1_000_000_000
time.gmtime = lambda *moment: _gmtime(*(moment or (time.time(),)))

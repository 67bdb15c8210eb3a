"""Runs inside the agent, as one more of its modules: holds it where another run is to come between.

`CONFIG` is put in front of this text by `controller.py`. Python >= 3.8, like the agent.
"""

import os
import time

from scimconf.agent import observe, transaction
from scimconf.agent.errors import AgentError

CONFIG = globals().get("CONFIG") or {"at": [], "begun": "", "sign": ""}


def _hold(name):
    """Wait until the sign is there, once; `fail` on it lets the step fail."""
    if name not in CONFIG["at"] or os.path.exists(CONFIG["sign"]):
        return
    open(CONFIG["begun"], "w").close()
    while not os.path.exists(CONFIG["sign"]):
        time.sleep(0.02)
    with open(CONFIG["sign"]) as file:
        if file.read() == "fail":
            raise AgentError("it fails because the test wants it to")


_run = transaction.Progress.run


def _holding(self, name, do):
    def held():
        _hold(name)
        return do()

    return _run(self, name, held)


transaction.Progress.run = _holding

_look_at_settings = observe._look_at_settings


def _look(*arguments):
    found = _look_at_settings(*arguments)
    _hold("settings.py was read")
    return found


observe._look_at_settings = _look

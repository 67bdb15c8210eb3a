"""Hold the agent at a step, so that another run can come in between. Runs inside the agent.

`controller.py` puts `CONFIG` in front of this text. Python >= 3.8, like the agent.
"""

import os
import time

from scimconf.agent import observe, transaction
from scimconf.agent.errors import AgentError

CONFIG = globals().get("CONFIG") or {"at": [], "begun": "", "sign": ""}


def _hold(name):
    """Wait once until the sign file exists. If it says `fail`, let the step fail."""
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

_settings = observe._settings


def _read_and_hold(*arguments):
    found = _settings(*arguments)
    _hold("settings.py was read")
    return found


observe._settings = _read_and_hold

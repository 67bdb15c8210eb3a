"""Ask Zulip's own Python with `manage.py shell`.

Code is sent on stdin: Zulip writes all arguments to a log that others read.
"""

from __future__ import annotations

import json
import os
from typing import Any, List

from scimconf.agent import child, zulip
from scimconf.agent.errors import AgentError

SECONDS = 120
"""A call takes two to four seconds on an idle server."""

_MARK = "scimconf: "


def ask(deployment: str, code: str, argument: object) -> Any:
    """Run code that reads `argument` and sets `answer`, both JSON values. Raises AgentError."""
    program = (
        f"import json\nargument = json.loads({json.dumps(argument)!r})\n{code}\n"
        f"print({_MARK!r} + json.dumps(answer))\n"
    )
    ended = manage(deployment, ["shell"], program)
    for line in ended.out.splitlines():
        if line.startswith(_MARK):
            return json.loads(line[len(_MARK) :])
    raise AgentError(f"manage.py shell printed no answer: {ended.last_line}")


def manage(deployment: str, words: List[str], stdin: str = "") -> child.Ended:
    """Run a command of manage.py. Raises AgentError if it fails."""
    program = os.path.join(deployment, "manage.py")
    argv = [zulip.interpreter(deployment), program, *words]
    ended = child.run(argv, deployment, SECONDS, stdin)
    if ended.code is None:
        raise AgentError(f"manage.py {words[0]} did not end within {SECONDS} seconds")
    if ended.code != 0:
        raise AgentError(f"manage.py {words[0]} exited with status {ended.code}: {ended.last_line}")
    return ended

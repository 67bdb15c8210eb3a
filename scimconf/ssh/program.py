"""What the agent's end is given to run, built once per process."""

from __future__ import annotations

import json
import zlib
from functools import cache
from importlib import resources
from threading import Lock

from scimconf import agent

_FOLDER = resources.files(agent)
_packing = Lock()


@cache
def bootstrap() -> str:
    """Give the bootstrap as one line of Python, fit for any login shell (see `command.quote`).

    csh takes no newline inside quotes, so newlines travel as `|` and Python puts them back.
    """
    source = _FOLDER.joinpath("bootstrap.py").read_text(encoding="utf-8")
    lines = [line for line in source.splitlines() if line and not line.startswith("#")]
    return 'exec("""' + "|".join(lines) + '""".replace("|",chr(10)))'


def payload() -> bytes:
    """Give the program as docs/agent.md says: a line with the length, then compressed JSON."""
    with _packing:  # the first servers ask all at once
        return _payload()


@cache
def _payload() -> bytes:
    return framed(
        [
            (name, _FOLDER.joinpath(f"{name}.py").read_text(encoding="utf-8"))
            for name in agent.MODULES
        ]
    )


def framed(pairs: list[tuple[str, str]]) -> bytes:
    """Pack pairs of module name and source the way the bootstrap reads them."""
    data = zlib.compress(json.dumps(pairs).encode(), 9)
    return b"%d\n%s" % (len(data), data)

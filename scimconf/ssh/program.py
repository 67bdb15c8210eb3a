"""The program that is sent to a server: the bootstrap and the agent's modules."""

from __future__ import annotations

import json
import zlib
from functools import cache
from importlib import resources
from threading import Lock, Thread

from scimconf import agent

_FOLDER = resources.files(agent)
_packing = Lock()


@cache
def bootstrap() -> str:
    """Return the bootstrap as one line of Python that every login shell accepts (command.quote).

    csh allows no line break inside quotes. So they are sent as `|`, and Python replaces them.
    """
    source = _FOLDER.joinpath("bootstrap.py").read_text(encoding="utf-8")
    lines = [line for line in source.splitlines() if line and not line.startswith("#")]
    return 'exec("""' + "|".join(lines) + '""".replace("|",chr(10)))'


def payload() -> bytes:
    """Return the agent as docs/agent.md describes: a line with the length, then compressed JSON."""
    with _packing:  # the first servers need it at the same time; pack it once
        return _payload()


@cache
def pack_ahead() -> None:
    """Start to pack the agent, so that it is ready when the first connection is."""
    Thread(target=payload, daemon=True).start()


@cache
def _payload() -> bytes:
    return framed(
        [
            (name, _FOLDER.joinpath(f"{name}.py").read_text(encoding="utf-8"))
            for name in agent.MODULES
        ]
    )


def framed(pairs: list[tuple[str, str]]) -> bytes:
    """Pack pairs of module name and source as the bootstrap expects them."""
    data = zlib.compress(json.dumps(pairs).encode())
    return b"%d\n%s" % (len(data), data)

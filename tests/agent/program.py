"""Run the agent as a server does: in its own process, started by the bootstrap."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from scimconf.ssh.program import bootstrap, payload


def argv(user: str, python: str = sys.executable) -> list[str]:
    return [python, "-I", "-S", "-B", "-u", "-c", bootstrap(), "NONCE", user]


def stdin(requests: Sequence[dict[str, Any]]) -> bytes:
    return payload() + b"".join(json.dumps(each).encode() + b"\n" for each in requests)


def answers(stdout: bytes) -> list[dict[str, Any]]:
    """Return the messages after the ready line."""
    ready, *lines = stdout.splitlines()
    assert ready.startswith(b"NONCE ready 3.")
    return [json.loads(line) for line in lines]

"""Small Zulip servers on loopback that behave like real ones, for the tests and the demo.

with Lab() as lab:
    server = lab.server("chat.test", version="9.0", realms=["", "acme"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.server import LabError, Server

__all__ = ["Lab", "LabError", "Server"]

_HOMES = {"Lab": "tests.lab.lab", "LabError": "tests.lab.server", "Server": "tests.lab.server"}


def __getattr__(name: str) -> object:
    """Import a name at its first use, so that `python -m tests.lab.openssh` imports itself once."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(_HOMES[name]), name)

"""Which SCIM clients scimconf has registered on this server: only those may be removed unasked.

A file of its own beside the journal. It is written before the first change, and believed only of
a client that is registered. The way back takes out what it unregisters: a client of that name is an
admin's from then on.
"""

from __future__ import annotations

import json
import os
from typing import Iterable, Set

from scimconf.agent import files
from scimconf.agent.clients import Client
from scimconf.agent.errors import AgentError

_NAME = "registered.json"


def add(folder: str, added: Iterable[Client]) -> None:
    """Write down, durably, which clients are about to be registered. Raises AgentError."""
    _write(folder, read(folder) | set(added))


def remove(folder: str, removed: Iterable[Client]) -> None:
    """Write down that clients are gone: one of that name is somebody else's from now on.

    Raises AgentError.
    """
    _write(folder, read(folder) - set(removed))


def read(folder: str) -> Set[Client]:
    """Return the clients that scimconf registered here; none if that is not known."""
    try:
        plain = json.loads(files.read(os.path.join(folder, _NAME)))
        return {(str(realm), str(name)) for realm, name in plain}
    except (AgentError, ValueError, TypeError, RecursionError):
        return set()


def _write(folder: str, clients: Set[Client]) -> None:
    if clients != read(folder):
        files.write_private(os.path.join(folder, _NAME), json.dumps(sorted(clients)).encode())

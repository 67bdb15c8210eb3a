"""The SCIM clients that scimconf has registered on this server.

Only these may be removed without asking. They have a file of their own beside the journal, which is
written before the first change. An entry counts only for a client that is registered. A rollback
deletes the entries of the clients that it unregisters, or that were not registered yet: if such a
client appears again, an administrator has registered it. The entry of a client that is removed is
deleted after the commit, because a rollback registers the client again.
"""

from __future__ import annotations

import json
import os
from typing import Iterable, Set

from scimconf.agent import durable, files
from scimconf.agent.clients import Client
from scimconf.agent.errors import AgentError

_NAME = "registered.json"


def add(folder: str, added: Iterable[Client]) -> None:
    """Record durably which clients will be registered. Raises AgentError."""
    _write(folder, read(folder) | set(added))


def remove(folder: str, removed: Iterable[Client]) -> None:
    """Delete the entries of clients that are no longer registered. Raises AgentError."""
    _write(folder, read(folder) - set(removed))


def read(folder: str) -> Set[Client]:
    """Return the clients that scimconf registered here. An unreadable file has none."""
    try:
        plain = json.loads(files.read(os.path.join(folder, _NAME)))
        return {(str(realm), str(name)) for realm, name in plain}
    except (AgentError, ValueError, TypeError, RecursionError):
        return set()


def _write(folder: str, clients: Set[Client]) -> None:
    if clients != read(folder):
        durable.write_private(os.path.join(folder, _NAME), json.dumps(sorted(clients)).encode())

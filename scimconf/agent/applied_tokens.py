"""Which tokens scimconf has put on this server, by fingerprint: to tell an older one from a newer.

A file of its own beside the journal, which knows the last transaction alone. It is written before
the first change and believed only of a token that is there: it does no harm where the change is
rolled back.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Optional

from scimconf.agent import files, fingerprint
from scimconf.agent.errors import AgentError

_NAME = "applied.json"
_KEPT = 3
"""Of each realm, the newest first: an undo brings back one before the last."""
_LIMIT = 4 * 1024 * 1024

Record = Mapping[str, str]
"""`hash` and `place` of a fingerprint, and the date `created`."""


def add(folder: str, new: Mapping[str, Record]) -> None:
    """Write down, durably, which tokens are about to be put in force, by realm. Raises AgentError."""
    if not new:
        return
    known = read(folder)
    for realm, record in new.items():
        older = [each for each in known.get(realm, []) if each["hash"] != record["hash"]]
        known[realm] = [dict(record), *older][:_KEPT]
    files.write_private(os.path.join(folder, _NAME), json.dumps(known).encode())


def read(folder: str) -> Dict[str, List[Dict[str, str]]]:
    """Return what was put in force here, by realm, the newest first; nothing if that is unknown."""
    try:
        plain = json.loads(files.read(os.path.join(folder, _NAME), _LIMIT))
        return {
            str(realm): [{name: str(each[name]) for name in _FIELDS} for each in records]
            for realm, records in plain.items()
        }
    except (AgentError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


_FIELDS = ("hash", "place", "created")


def find(records: List[Dict[str, str]], token: str) -> Optional[Record]:
    """Return the record of a token among those of its realm."""
    try:
        return next((each for each in records if fingerprint.matches(token, each)), None)
    except AgentError:
        return None


def request(plain: Mapping[str, Any]) -> Dict[str, Record]:
    """Read the `fingerprints` of a request to apply. Raises what `request.parse` expects."""
    return {
        str(realm): {name: str(each[name]) for name in _FIELDS} for realm, each in plain.items()
    }

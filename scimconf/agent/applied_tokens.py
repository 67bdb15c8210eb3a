"""The fingerprints of the tokens that scimconf has put on this server, newest first.

They show whether a server has an older or a newer token. The journal only knows the last
transaction, so they have a file of their own. It is written before the first change. An entry
counts only for a token that is on the server, so it does no harm after a rollback.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Optional

from scimconf.agent import files, fingerprint
from scimconf.agent.errors import AgentError

_NAME = "applied.json"
_KEPT = 3
"""Records of each realm. An undo brings back the token before the last one."""
_LIMIT = 4 * 1024 * 1024

Record = Mapping[str, str]
"""`hash` and `place` of a fingerprint, and the date `created`."""


def add(folder: str, new: Mapping[str, Record]) -> None:
    """Record durably, by realm, which tokens will come into force. Raises AgentError."""
    if not new:
        return
    from scimconf.agent import durable  # a plan writes nothing

    known = read(folder)
    for realm, record in new.items():
        older = [each for each in known.get(realm, []) if each["hash"] != record["hash"]]
        known[realm] = [dict(record), *older][:_KEPT]
    durable.write_private(os.path.join(folder, _NAME), json.dumps(known).encode())


def read(folder: str) -> Dict[str, List[Dict[str, str]]]:
    """Return the records by realm, newest first. An unreadable file has no records."""
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
    """Return the record of a token from the records of its realm."""
    try:
        return next((each for each in records if fingerprint.matches(token, each)), None)
    except AgentError:
        return None


def request(plain: Mapping[str, Any]) -> Dict[str, Record]:
    """Read the `fingerprints` of an apply request, for `request.parse`."""
    return {
        str(realm): {name: str(each[name]) for name in _FIELDS} for realm, each in plain.items()
    }

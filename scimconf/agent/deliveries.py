"""The notes that a delivery of a token to an identity provider has begun and not ended.

The controller has the same note in the token file. A pipeline that is killed loses its copy of that
file, but the identity provider stays paused, so the server keeps the note too.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Tuple

from scimconf.agent import files
from scimconf.agent.errors import AgentError

_NAME = "deliveries.json"

Turn = Tuple[str, str]
"""The note that is there and the new one; "" is no note."""


class Changed(AgentError):
    """Another run has changed a note in the meantime."""


def read(folder: str) -> Dict[str, str]:
    """Return the notes by realm. An unreadable file has none."""
    try:
        plain = json.loads(files.read(os.path.join(folder, _NAME)))
        return {str(realm): str(note) for realm, note in plain.items()}
    except (AgentError, ValueError, AttributeError, RecursionError):
        return {}


def change(folder: str, turns: Mapping[str, Turn]) -> None:
    """Change notes durably. The caller holds the lock. Raises AgentError; then none is changed."""
    from scimconf.agent import durable  # a plan writes nothing

    notes = read(folder)
    for realm, (old, new) in turns.items():
        if notes.pop(realm, "") not in (old, new):  # a worker that died may have sent the request
            raise Changed(
                "another run has begun or ended a delivery in the meantime",
                "wait until it has ended, then run the command again",
            )
        if new:
            notes[realm] = new
    durable.write_private(os.path.join(folder, _NAME), json.dumps(notes).encode())


def request(plain: Mapping[str, Any]) -> Dict[str, Turn]:
    """Read the `deliveries` of a request."""
    return {str(realm): (str(old), str(new)) for realm, (old, new) in plain.items()}

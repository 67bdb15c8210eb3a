"""What the caller decides for every conversation of a run: secrets, host keys, time limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scimconf.consent import NOTHING, Consent
from scimconf.secret import Secret
from scimconf.ssh.conversation import LOOK_SECONDS


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one server. The caller has decrypted those that are vault values."""

    password: Secret | None = None
    become_password: Secret | None = None
    passphrase: Secret | None = None
    """For the private key file."""
    ask: Callable[[str], Secret] | None = None
    """Asks a person on the terminal; None: no person may be asked."""


@dataclass(frozen=True, slots=True)
class Options:
    """How strictly host keys are checked, and how long to wait."""

    host_key: Literal["strict", "accept-new"] = "strict"
    """Whether a server that is in no known_hosts file is refused or added. A server whose key has
    changed is always refused."""
    known_hosts: tuple[str, ...] | None = None
    """The known_hosts files; None for those of the SSH configuration. New keys are added to the
    first file."""
    start_timeout: float = 60.0
    """Seconds from the command to the agent's ready line. sudo may have to ask a slow directory
    service."""
    look_timeout: float = LOOK_SECONDS
    """Seconds for an answer that changes nothing. The first one includes the start of the agent."""
    allow_exec: Consent = NOTHING
    """Which programs the inventory may choose."""

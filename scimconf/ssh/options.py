"""What the caller settles for every conversation of a run: secrets, host keys, time limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scimconf.consent import NOTHING, Consent
from scimconf.secret import Secret
from scimconf.ssh.conversation import LOOK_SECONDS


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one server, opened by the caller (they may stand in vault values)."""

    password: Secret | None = None
    become_password: Secret | None = None
    passphrase: Secret | None = None
    """For the private key file."""
    ask: Callable[[str], Secret] | None = None
    """Asks a person on the terminal, where there is one who wants to be asked."""


@dataclass(frozen=True, slots=True)
class Options:
    """How careful, and how patient."""

    host_key: Literal["strict", "accept-new"] = "strict"
    """Whether a server that no known_hosts file names is refused or remembered. One whose key
    has changed is always refused."""
    known_hosts: tuple[str, ...] | None = None
    """The known_hosts files; None: those of the SSH configuration. New keys go into the first."""
    start_timeout: float = 60.0
    """Seconds from the command to the agent's ready line; sudo may ask a slow directory."""
    look_timeout: float = LOOK_SECONDS
    """Seconds from the command to the end of the agent's first answer, if it only looks; and for
    each later look."""
    allow_exec: Consent = NOTHING
    """What the inventory may make run on this machine."""

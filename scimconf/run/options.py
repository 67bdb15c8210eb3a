"""The options of a run, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scimconf.consent import NOTHING, Consent
from scimconf.run.shard import Shard


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The inventory, its token file, and the selected hosts."""

    inventory: tuple[Path, ...]
    limit: tuple[str, ...]
    tokens: Path | None
    allow_exec: Consent = NOTHING
    extra_vars: tuple[str, ...] = ()
    """The values of -e, which override the inventory's variables."""
    shard: Shard | None = None
    """The share of the fleet to work on; None: all of it."""


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How to connect if the inventory does not say it."""

    forks: int
    user: str | None
    ask_pass: bool
    become: bool
    become_user: str | None
    ask_become_pass: bool
    private_key: Path | None
    known_hosts: Path | None
    accept_new_host_keys: bool
    retries: int = 0
    look_timeout: float | None = None
    """Seconds; None: the default of `ssh.session.Options`."""
    connection_password_file: Path | None = None
    become_password_file: Path | None = None
    scheduler: str | None = None
    """The address of the scheduler of Dask workers; None: this process does the work."""
    scheduler_ca: Path | None = None
    scheduler_cert: Path | None = None
    scheduler_key: Path | None = None
    zone_keys: Path | None = None
    """The folder with the public keys of the workers' zones."""


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """How many servers are changed at a time, and when the run stops."""

    serial: str | None
    canary: int | None
    max_fail: str | None


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """Where tokens may be delivered."""

    idp_host: tuple[str, ...] = ()
    """The values of --idp-host; the file `.idp-hosts` has more."""


NO_HOSTS = DeliveryOptions()

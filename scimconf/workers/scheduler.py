"""Where the scheduler of the workers is, and how the controller proves who it is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import UsageError

_ADDRESS = re.compile(r"(tls|tcp)://(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """The scheduler, the files for TLS, and the folder with the public keys of the zones."""

    address: str
    zone_keys: Path
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.address.startswith("tls://")


def scheduler(
    address: str, zone_keys: Path | None, ca: Path | None, cert: Path | None, key: Path | None
) -> Scheduler:
    """Return the scheduler of these options. Raises UsageError if one is missing or wrong."""
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[3]) < 65536:
        raise UsageError(
            f"--scheduler {address!a} is not the address of a scheduler",
            "write for example --scheduler tls://dask.example.com:8786",
        )
    if zone_keys is None:
        raise UsageError(
            "--scheduler needs the public keys of the workers' zones",
            "add --zone-keys FOLDER; to make a key: scimconf help scale",
        )
    files: Mapping[str, Path | None] = {
        "--scheduler-ca": ca,
        "--scheduler-cert": cert,
        "--scheduler-key": key,
    }
    if found[1] == "tcp":
        if not _is_loopback(found[2].strip("[]")):
            raise UsageError(
                f"{address} is not encrypted: it is allowed on this machine only",
                f"start the scheduler with TLS, and write tls://{found[2]}:{found[3]}",
            )
        if given := [name for name, file in files.items() if file]:
            raise UsageError(
                f"{given[0]} is for tls://, and {address} is not encrypted",
                f"remove {given[0]}, or write tls://{found[2]}:{found[3]}",
            )
    elif missing := [name for name, file in files.items() if not file]:
        raise UsageError(
            f"{address} needs {', '.join(missing)} too",
            "the workers, the scheduler and scimconf each need a certificate of the same CA: "
            "scimconf help scale",
        )
    return Scheduler(address, zone_keys, ca, cert, key)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

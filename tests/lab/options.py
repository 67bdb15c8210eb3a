"""What a lab server can be asked to be, and what it is known by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Options:
    """What a lab server can be asked to be."""

    version: str = "9.0"
    realms: Sequence[str] = ("",)
    sshd: bool = True
    """False: no SSH, and all in sight of whoever runs the lab (`ansible_connection: local`)."""
    sudo: Literal["nopasswd", "password"] | None = "nopasswd"
    """How the user `ops` becomes zulip."""
    sudoers: str = ""
    """Lines to add to sudoers."""
    deactivated: Sequence[str] = ()
    """Those of the realms that are deactivated."""
    realm_hosts: Mapping[str, str] = field(default_factory=dict)
    """REALM_HOSTS of settings.py."""
    custom_profile_fields: Sequence[str] = ()
    """The variable names of the fields that every realm has."""
    settings: str | None = None
    """The text of settings.py instead of the usual one; `@EXTERNAL_HOST@` is filled in."""
    extra_settings: str = ""
    """Text to append to settings.py."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """More names for [secrets] of zulip-secrets.conf."""


@dataclass(frozen=True)
class Identity:
    """What a server is known by."""

    name: str
    external_host: str
    certificate: bytes
    authorized_key: str

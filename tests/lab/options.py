"""The options and the identity of a lab server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Options:
    """The options of a lab server."""

    version: str = "9.0"
    realms: Sequence[str] = ("",)
    sshd: bool = True
    """False: no SSH; the lab's user can see all files (`ansible_connection: local`)."""
    sudo: Literal["nopasswd", "password"] | None = "nopasswd"
    """How the user `ops` becomes zulip."""
    sudoers: str = ""
    """Extra lines for sudoers."""
    deactivated: Sequence[str] = ()
    """The realms that are deactivated."""
    realm_hosts: Mapping[str, str] = field(default_factory=dict)
    """REALM_HOSTS of settings.py."""
    custom_profile_fields: Sequence[str] = ()
    """The names of the custom profile fields of every realm, such as "Phone number"."""
    settings: str | None = None
    """Another text for settings.py. `@EXTERNAL_HOST@` is replaced."""
    extra_settings: str = ""
    """Text to append to settings.py."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Extra secrets for zulip-secrets.conf."""


@dataclass(frozen=True)
class Identity:
    """The names and the certificate of a server."""

    name: str
    external_host: str
    certificate: bytes
    authorized_key: str

"""Check that a host name belongs to a Zulip server, before a token is sent to it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

_LABELS = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


def refusal(url: str, external_host: str, realm_hosts: Mapping[str, str]) -> str | None:
    """Return why a token must not be sent to `url`, or None if it may.

    Allowed are https (http only on loopback) and a host that is EXTERNAL_HOST, below it, or a value
    of REALM_HOSTS. Names are compared as in DNS: without case and trailing dot, IDN as punycode, by
    whole labels. Ports are not part of a name.
    """
    try:
        if not url.isprintable():  # urlsplit removes tabs and line breaks
            raise ValueError
        parts = urlsplit(url)
        name = _name(parts.hostname or "")
        _ = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return f"{url!a} is not a URL"
    if not _plain(parts):
        return f"{url!a} has more than https:// and a host name"
    if parts.scheme != "https" and not _loopback(name):
        return f"{url!a} is not https, and a token is never sent unencrypted"
    own = {_name_of(setting) for setting in (external_host, *realm_hosts.values())}
    under = _name_of(external_host)
    if name in own or (under and name.endswith(f".{under}")):
        return None
    return f"{name} is not {external_host!a}, not below it and not in REALM_HOSTS"


def _plain(parts: SplitResult) -> bool:
    return (
        parts.scheme in ("https", "http")
        and parts.username is None
        and parts.password is None
        and not (parts.path or parts.query or parts.fragment)
    )


def _name_of(setting: str) -> str:
    """Return the host name in a Zulip setting, `host` or `host:port`; "" if it has none."""
    try:
        return _name(urlsplit(f"//{setting}").hostname or "")
    except ValueError:
        return ""


def _name(host: str) -> str:
    """Return a host name in its canonical form. Raises ValueError for an invalid name."""
    name = host.removesuffix(".").lower()
    if not name.isascii():
        name = name.encode("idna").decode("ascii").lower()
    if not _LABELS.fullmatch(name):
        ipaddress.ip_address(name)
    return name


def _loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")

"""Which host names belong to a Zulip server: the guard before a token is sent anywhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

_LABELS = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


def refusal(url: str, external_host: str, realm_hosts: Mapping[str, str]) -> str:
    """Say why a token must not be sent to `url`, "" if it may.

    It goes over https (http on loopback only), to a host that is EXTERNAL_HOST, under it, or a
    value of REALM_HOSTS. Names are compared as DNS does: no case, no trailing dot, IDN as
    punycode, whole labels; ports are not part of a name.
    """
    try:
        if not url.isprintable():  # urlsplit drops tabs and line breaks
            raise ValueError
        parts = urlsplit(url)
        name = _name(parts.hostname or "")
        _ = parts.port  # raises where it is no port
    except ValueError:
        return f"{url!a} is not a URL"
    if not _plain(parts):
        return f"{url!a} is not just https:// and a host name"
    if parts.scheme != "https" and not _loopback(name):
        return f"{url!a} is not https, and a token is never sent in the clear"
    own = {_name_of(setting) for setting in (external_host, *realm_hosts.values())}
    under = _name_of(external_host)
    if name in own or (under and name.endswith(f".{under}")):
        return ""
    return f"{name} is not {external_host!a}, nor under it, nor in REALM_HOSTS"


def _plain(parts: SplitResult) -> bool:
    return (
        parts.scheme in ("https", "http")
        and parts.username is None
        and parts.password is None
        and not (parts.path or parts.query or parts.fragment)
    )


def _name_of(setting: str) -> str:
    """Give the name in a setting of Zulip's, `host` or `host:port`; "" if there is none."""
    try:
        return _name(urlsplit(f"//{setting}").hostname or "")
    except ValueError:
        return ""


def _name(host: str) -> str:
    """Give a host name in a form in which two can be compared. Raises ValueError if it is none."""
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

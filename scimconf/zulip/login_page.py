"""Read from a realm's login page whether the realm has another host or is deactivated.

Zulip redirects in both cases (zerver/middleware.py, zerver/views/auth.py).
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_DEACTIVATED = "/accounts/deactivated"


def moved_to(status: int | None, location: str, url: str) -> str:
    """Return the URL of the other host that serves the realm of `url`; "" if there is none.

    A login page may redirect for other reasons (a single login method, a landing page). Only a
    redirect to the login page of another host is about the host.
    """
    parts = _redirect(status, location)
    if parts is None or parts.path.rstrip("/") != "/login":
        return ""
    return "" if same_host(parts.netloc, urlsplit(url).netloc) else url_of(parts.netloc)


def url_of(host: str) -> str:
    """Return the URL of a host and port that a server sent; "" for anything else."""
    return f"https://{host}" if _HOST.fullmatch(host) else ""


def deactivated(status: int | None, location: str) -> bool:
    """Return whether the login page redirects to the page of deactivated realms."""
    parts = _redirect(status, location)
    return parts is not None and parts.path.startswith(_DEACTIVATED)


def same_host(one: str, other: str) -> bool:
    """Return whether two hosts have the same name, whatever their ports."""
    return _name(one) == _name(other)


def _name(netloc: str) -> str:
    return netloc.rpartition("@")[2].partition(":")[0].rstrip(".").lower()


def _redirect(status: int | None, location: str) -> SplitResult | None:
    if status is None or not 300 <= status < 400:
        return None
    try:
        return urlsplit(location)
    except ValueError:
        return None

"""Zulip's versions, and the features that each of them has.

The table comes from real servers and from Zulip's history: its changelog
(`docs/overview/changelog.md`) and the files named beside each row. Keys of SCIM_CONFIG have their
versions in `scimconf.zulip.keys`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from scimconf.errors import ScimconfError
from scimconf.server_warning import ServerWarning

_VERSION = re.compile(
    r"(?P<major>\d{1,4})\.(?P<minor>\d{1,4})(?:\.(?P<patch>\d{1,4}))?"
    r"(?P<before>[-.]?(?:dev|alpha|beta|rc)\d*)?"
    r"(?:[-+].*)?",
    re.ASCII,
)


class Version(NamedTuple):
    """A Zulip version. Versions compare in the order of their releases."""

    major: int
    minor: int
    patch: int = 0
    released: bool = True
    """False for a dev version, beta or rc. It sorts before its release, because it may lack
    features of the release."""

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Feature(Enum):
    """Something that only some versions of Zulip have."""

    SCIM = "SCIM"
    ADD_SCIM_CLIENT = "manage.py add_scim_client"  # zerver/management/commands/
    DEACTIVATION = "deactivation through SCIM"
    CONSTANT_TIME_COMPARE = "constant-time token compare"  # CVE-2022-41914
    CASELESS_USERNAME = "userName filters that ignore case"  # zerver/lib/scim_filter.py
    USER_ROLE = "user role over SCIM"
    SKIP_CLIENT_RELOADS = "restart-server --skip-client-reloads"  # scripts/restart-server
    ONLY_DJANGO = "restart-server --only-django"  # scripts/restart-server
    REALM_HOST_REDIRECT = "a redirect to the realm's host in REALM_HOSTS"  # zerver/middleware.py
    SCIM_CONFIG_DEFAULT = "SCIM_CONFIG = {} by default"  # zproject/default_settings.py
    GROUPS = "groups over SCIM"  # zerver/lib/scim.py


_FIRST = {
    Feature.SCIM: Version(5, 0),
    Feature.ADD_SCIM_CLIENT: Version(5, 0),
    Feature.DEACTIVATION: Version(5, 2),
    Feature.CONSTANT_TIME_COMPARE: Version(5, 7),
    Feature.CASELESS_USERNAME: Version(6, 0),
    Feature.USER_ROLE: Version(8, 0),
    Feature.SKIP_CLIENT_RELOADS: Version(9, 0),
    Feature.ONLY_DJANGO: Version(10, 0),
    Feature.REALM_HOST_REDIRECT: Version(7, 0),
    Feature.SCIM_CONFIG_DEFAULT: Version(11, 0),
    Feature.GROUPS: Version(11, 0),
}

_GONE_SINCE = {Feature.ADD_SCIM_CLIENT: Version(6, 0)}


def parse(text: str) -> Version:
    """Parse "9.0", "12.1", "6.0-beta1", "10.0-dev+git" or a git describe "9.0-123-gabc".

    Raises ScimconfError for anything else.
    """
    found = _VERSION.fullmatch(text.strip())
    if not found:
        shown = text.strip()[:40]
        raise ScimconfError(
            f"{shown!a} is not a Zulip version",
            "expected something like 9.0, 12.1, 6.0-beta1 or 10.0-dev+git",
        )
    return Version(
        int(found["major"]),
        int(found["minor"]),
        int(found["patch"] or 0),
        released=not found["before"],
    )


def available(feature: Feature, version: str) -> bool:
    """Return whether this version of Zulip has the feature."""
    current = parse(version)
    gone = _GONE_SINCE.get(feature)
    return current >= _FIRST[feature] and (gone is None or current < gone)


def advice(version: str) -> Iterator[ServerWarning]:
    """Yield warnings about features that SCIM lacks on this version."""
    if not available(Feature.DEACTIVATION, version):
        text = f"Zulip {version} does not deactivate users through SCIM; 5.2 and later do"
        yield ServerWarning("no-deactivation", text)
    if not available(Feature.CONSTANT_TIME_COMPARE, version):
        text = (
            f"Zulip {version} leaks the token through its timing: upgrade to 5.7 or later, then "
            "make a new token"
        )
        yield ServerWarning("CVE-2022-41914", text)
    if not available(Feature.CASELESS_USERNAME, version):
        text = (
            f"Zulip {version} finds a user only if the identity provider has the email address in "
            "the same case; otherwise, creating the user fails (409): upgrade to 6.0 or later"
        )
        yield ServerWarning("case-sensitive-username", text)

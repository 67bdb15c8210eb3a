"""How the Zulip releases of the lab differ.

Each row is a fact of docs/zulip.md ("Releases", "Restart", "Groups"). The lab writes the
profile into the deployment as `lab.json`. The deployment reads it and contains no version number.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """One release of Zulip."""

    version: str
    feature_level: int
    """For /api/v1/server_settings. If docs/zulip.md does not have it, a plausible number."""
    virtualenv: str
    """The folder of the virtual environment in the deployment."""
    registers_clients: bool
    """Return whether `manage.py add_scim_client` and its table exist (5.x)."""
    scim_config_default: bool
    """Return whether SCIM_CONFIG is `{}` if settings.py does not define it."""
    redirects_to_realm_host: bool
    """Return whether a realm in REALM_HOSTS has only that host."""
    roles: bool
    """Return whether SCIM has user roles."""
    groups: bool
    custom_profile_fields: bool
    checkconfig: bool
    """Return whether `manage.py checkconfig` exists. Later `check` replaces it."""
    checks_before_restart: bool
    """Return whether restart-server runs `manage.py check` first, and has --skip-checks."""
    restart_drops_root: bool
    """Return whether restart-server changes from root to zulip, and has --skip-client-reloads."""
    only_django: bool
    """Return whether restart-server has --only-django."""
    shell_greets: bool
    """Return whether `manage.py shell` prints its imports to stdout (Django 5.2)."""


def _profile(version: str, feature_level: int) -> Profile:
    release = tuple(int(part) for part in version.split("."))
    return Profile(
        version=version,
        feature_level=feature_level,
        virtualenv=".venv" if release >= (10,) else "zulip-py3-venv",
        registers_clients=release < (6,),
        scim_config_default=release >= (11,),
        redirects_to_realm_host=release >= (7,),
        roles=release >= (8,),
        groups=release >= (11,),
        custom_profile_fields=release >= (12,),
        checkconfig=release < (11, 5),
        checks_before_restart=release >= (6,),
        restart_drops_root=release >= (9,),
        only_django=release >= (10,),
        shell_greets=release >= (11,),
    )


PROFILES = {
    profile.version: profile
    for profile in (
        _profile("5.6", 122),
        _profile("6.2", 157),
        _profile("8.4", 237),
        _profile("9.0", 277),
        _profile("11.0", 421),
        _profile("12.1", 480),
    )
}

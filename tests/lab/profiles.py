"""What differs between the Zulip releases that the lab can be: one table.

Each row is a fact of docs/zulip.md ("Releases", "Restart", "Groups"). A profile is written into the
miniature deployment as `lab.json`; the deployment asks it, and knows no version number itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """One release of Zulip."""

    version: str
    feature_level: int
    """Of /api/v1/server_settings. Where docs/zulip.md has none, a plausible number."""
    virtualenv: str
    """The folder of it in the deployment."""
    registers_clients: bool
    """`manage.py add_scim_client` and its table: 5.x."""
    scim_config_default: bool
    """Whether SCIM_CONFIG is `{}` where settings.py does not define it."""
    redirects_to_realm_host: bool
    """Whether a realm that REALM_HOSTS names is served under that host alone."""
    roles: bool
    """User role over SCIM."""
    groups: bool
    custom_profile_fields: bool
    checkconfig: bool
    """`manage.py checkconfig`, until `check` took over."""
    checks_before_restart: bool
    """restart-server runs `manage.py check` before it stops anything, and knows --skip-checks."""
    restart_drops_root: bool
    """restart-server becomes zulip by itself; older ones refuse root. Has --skip-client-reloads."""
    only_django: bool
    """restart-server --only-django."""
    shell_greets: bool
    """`manage.py shell` says on stdout what it imported (Django 5.2)."""


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

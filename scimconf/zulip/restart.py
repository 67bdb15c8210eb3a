"""The command that makes a running Zulip load a new SCIM_CONFIG (run as the user zulip)."""

from __future__ import annotations

from typing import Literal

from scimconf.zulip.versions import Feature, available


def command(
    setting: Literal["server", "django", "none"] | tuple[str, ...], version: str, deployment: str
) -> tuple[str, ...] | None:
    """Return the command for the inventory's `scim_restart`; None for `none`.

    `server` is Zulip's scripts/restart-server in every version. `django` restarts only what SCIM
    needs: with supervisorctl before 10.0, later with `restart-server --only-django`, which checks
    the settings before it stops anything. Web clients need no reload for a new token, so
    restart-server gets `--skip-client-reloads` where it knows that option (9.0 and later).
    """
    if setting == "none":
        return None
    if not isinstance(setting, str):
        return setting
    script = f"{deployment.rstrip('/')}/scripts/restart-server"
    quiet = ("--skip-client-reloads",) if available(Feature.SKIP_CLIENT_RELOADS, version) else ()
    if setting == "server":
        return (script, *quiet)
    if available(Feature.ONLY_DJANGO, version):
        return (script, "--only-django", *quiet)
    return ("supervisorctl", "restart", "zulip-django")

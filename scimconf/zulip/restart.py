"""The command that makes a running Zulip see a new SCIM_CONFIG (run as the user zulip)."""

from __future__ import annotations

from typing import Literal

from scimconf.zulip.versions import Feature, available


def command(
    setting: Literal["server", "django", "none"] | tuple[str, ...], version: str, deployment: str
) -> tuple[str, ...] | None:
    """Give the argv for the inventory's `scim_restart`; None where it says `none`.

    `server` is Zulip's scripts/restart-server, everywhere. `django` restarts no more than SCIM
    needs: supervisorctl before 10.0, from then on `restart-server --only-django`, which checks
    the settings before it stops anything. No web client needs a reload for a new token, so
    `--skip-client-reloads` goes with it wherever restart-server knows it (9.0).
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

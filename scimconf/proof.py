"""What proves that a server with nothing left to change lets the right tokens in: pure.

The agent asked the local web server for each realm, with the token in the file; only 200 is proof.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from scimconf.model import Realm, Server, Unproved
from scimconf.zulip.answers import explain

Running = Mapping[str, int | None]
"""Realm -> HTTP status that the local web server gave; None: no answer."""


def unproved(server: Server, running: Running) -> Unproved | None:
    """Return why the server is not proved to let the right tokens in; None if it is.

    `scim_verify: false` asks nobody, so then there is nothing to prove.
    """
    if silent := no_answer(server, running):
        return silent
    for realm in server.realms if server.verify else ():
        status = running.get(realm.string_id)
        if realm.present and status is not None and status != 200:
            return _refused(server, realm, status)
    return None


def no_answer(server: Server, running: Running) -> Unproved | None:
    """Return the first realm for which the local web server gave no answer; None: all have one."""
    for realm in server.realms if server.verify else ():
        asked = realm.present or realm.string_id in running
        if asked and running.get(realm.string_id) is None:
            where = server.probe or "https://127.0.0.1:443, then http://127.0.0.1:80"
            return Unproved(
                f"realm {realm.label}: the local web server did not answer (asked: {where}), so it "
                "is not proved that the right token is let in",
                "is Zulip up? On the server: supervisorctl status. scim_probe says where the web "
                "server listens; scim_verify: false asks nobody",
            )
    return None


def _refused(server: Server, realm: Realm, status: int) -> Unproved:
    """Describe a refusal that no restart of ours will mend: `scim_restart` is `none`."""
    meaning, hint = explain(status)
    if status == 401:
        meaning = "Zulip still runs with another token than settings.py has"
        script = shlex.quote(f"{server.paths.deployment}/scripts/restart-server")
        hint = f"restart Zulip by hand, as {server.paths.user}: {script}"
    message = f"realm {realm.label}: the local web server answered {status} to the right token"
    return Unproved(f"{message}: {meaning}", hint)

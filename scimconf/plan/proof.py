"""Decide whether it is proved that a server accepts the right tokens. Pure.

The agent sends the token in the file to the local web server, for each realm. Only 200 is proof.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from scimconf.model import Observed, Outcome, Realm, Server, Status, Unproved
from scimconf.plan.commands import for_server
from scimconf.zulip.answers import explain


def unproved(server: Server, observed: Observed) -> Unproved | None:
    """Return why it is not proved that the server accepts the right tokens; None if it is.

    With `scim_verify: false`, the web server is not asked, and no proof is needed.
    """
    if silent := no_answer(server, observed):
        return silent
    for realm in server.realms if server.verify else ():
        if not realm.present:
            continue
        status = observed.running.get(realm.string_id)
        if status is None:
            message = (
                f"realm {realm.label}: SCIM was not checked, because the token that the server has "
                "is not known"
            )
            return Unproved(message, "check the entry of the realm in SCIM_CONFIG")
        if status != 200:
            return _refused(server, realm, status)
    return None


def proved(server: Server, outcome: Outcome) -> Outcome:
    """Return the outcome of a change. Without a proof that the new token works, it has failed.

    One proof is enough: the gate on the server, or the public URLs. With `scim_verify: false`, no
    proof is needed.
    """
    unproved = outcome.status is Status.CHANGED and bool(outcome.unproved) and server.verify
    if not unproved or outcome.verified == "yes":
        return outcome
    message = (
        f"changed, but it is not proved that Zulip accepts the right token: {outcome.unproved}"
    )
    hint = f"the change stays in force; fix the cause, then run: {for_server('plan', server)}"
    return replace(outcome, status=Status.FAILED, message=message, hint=hint)


def no_answer(server: Server, observed: Observed) -> Unproved | None:
    """Return a message for the first realm without an answer of the local web server; else None."""
    for realm in server.realms if server.verify else ():
        statuses = list(_statuses(realm, observed))
        if (realm.present or statuses) and (not statuses or None in statuses):
            where = server.probe or "https://127.0.0.1:443, then http://127.0.0.1:80"
            return Unproved(
                f"realm {realm.label}: the local web server did not answer (asked: {where}), so it "
                "is not proved that Zulip accepts the right token",
                "on the server, run: supervisorctl status; if the web server listens elsewhere, "
                "set scim_probe; to skip this check, set scim_verify: false",
            )
    return None


def down(server: Server, observed: Observed) -> Unproved | None:
    """Return a message for the first realm for which Zulip is down; None if no answer shows that.

    A status of 500 from SCIM alone does not count, because SCIM_CONFIG may be wrong.
    """
    for realm in server.realms if server.verify else ():
        site = observed.sites.get(realm.string_id)
        failed = [status for status in _statuses(realm, observed) if status in (502, 503, 504)]
        if not failed and site and site.status and site.status >= 500:
            failed = [site.status]
        if failed:
            meaning, hint = explain(failed[0])
            if failed[0] not in (502, 503, 504):
                meaning, hint = "Zulip fails", "see /var/log/zulip/errors.log"
            message = f"the site is down: the local web server answers {failed[0]} for realm "
            return Unproved(f"{message}{realm.label}: {meaning}", hint)
    return None


def _statuses(realm: Realm, observed: Observed) -> Iterator[int | None]:
    """Yield the statuses of a realm's login page and of SCIM, if they were requested."""
    name = realm.string_id
    if name in observed.sites:
        yield observed.sites[name].status
    if name in observed.running:
        yield observed.running[name]


def _refused(server: Server, realm: Realm, status: int) -> Unproved:
    """Describe a refusal that scimconf does not fix by a restart (`scim_restart: none`)."""
    meaning, hint = explain(status)
    if status == 401:
        meaning = "Zulip still runs with an older token than settings.py has"
        script = shlex.quote(f"{server.paths.deployment}/scripts/restart-server")
        hint = f"restart Zulip by hand, as {server.paths.user}: {script}"
    message = f"realm {realm.label}: the local web server answered {status} to the right token"
    return Unproved(f"{message}: {meaning}", hint)

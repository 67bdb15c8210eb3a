"""The public side of one server, asked after a change or on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from scimconf.model import Check, Observed, Outcome, Server, Status
from scimconf.secret import Secret
from scimconf.verify import Hosts, verify


def ask(
    server: Server, observed: Observed, tokens: Mapping[str, Secret], answers: int
) -> Iterator[Check]:
    if observed.external_host is None:
        message = "not asked: EXTERNAL_HOST in settings.py is not a plain value, so it cannot be "
        message += "proved that the realm's URL belongs to this server"
        yield Check("", "address", "warning", message)
        return
    hosts = Hosts(observed.external_host, observed.realm_hosts)
    for realm in server.realms:
        if not realm.present:
            continue
        if token := tokens.get(realm.string_id):
            yield from verify(server, realm, token, hosts, answers)
        else:
            message, hint = "there is no token for it yet", "make one: scimconf apply"
            yield Check(realm.string_id, "token", "failed", message, hint=hint)


def with_checks(outcome: Outcome, checks: tuple[Check, ...]) -> Outcome:
    if all(check.result != "failed" for check in checks):
        unproved = bool(checks) and all(check.result == "warning" for check in checks)
        if unproved and outcome.status is Status.OK:
            message = "the public side was not reached from here: nothing is proved"
            return replace(outcome, status=Status.UNREACHABLE, message=message, checks=checks)
        return replace(outcome, checks=checks)
    message = "the public side does not answer as the identity provider needs it"
    hint = ""
    if outcome.status is Status.CHANGED:
        hint = "the change is in force and Zulip itself answers rightly: look at what is before it"
    return replace(outcome, status=Status.FAILED, message=message, hint=hint, checks=checks)

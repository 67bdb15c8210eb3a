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
    """Return the outcome with the answers of the public side, as far as they decide about it.

    A public URL that was not reached is no proof: `verify` has nothing else to go by, while a
    change was proved by the gate on the server.
    """
    outcome = replace(outcome, checks=checks)
    if any(check.result == "failed" for check in checks):
        message = "the public side does not answer as the identity provider needs it"
        hint = ""
        if outcome.status is Status.CHANGED:
            hint = "the change is in force on the server: look at what is in front of it"
        return replace(outcome, status=Status.FAILED, message=message, hint=hint)
    if outcome.verified == "no" and outcome.status is Status.OK:
        realms = dict.fromkeys(check.realm for check in checks if check.result == "warning")
        names = ", ".join(realm or "(root)" for realm in realms)
        message = f"not reached from here, so not verified: realm {names}"
        return replace(outcome, status=Status.UNREACHABLE, message=message)
    return outcome


def proved(server: Server, outcome: Outcome) -> Outcome:
    """Return the outcome of a change: a failed one where nobody let the right token in.

    Either side is enough: the gate on the server, or the public URLs. `scim_verify: false` asks
    neither.
    """
    unproved = outcome.status is Status.CHANGED and bool(outcome.unproved) and server.verify
    if not unproved or outcome.verified == "yes":
        return outcome
    message = f"changed, but it is not proved that the right token is let in: {outcome.unproved}"
    hint = "the change is in force and stays: put that right, then see: scimconf plan"
    return replace(outcome, status=Status.FAILED, message=message, hint=hint)

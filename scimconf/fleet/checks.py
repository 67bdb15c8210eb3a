"""The public URLs of one server, asked after a change or by `verify`, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from scimconf.fleet.fleet import Check as CheckServer
from scimconf.fleet.look import Looked, failure
from scimconf.fleet.verify import Hosts, verify
from scimconf.fleet.watcher import Watcher
from scimconf.model import Check, Observed, Outcome, Server, Status
from scimconf.secret import Secret
from scimconf.tokens.keyring import Tokens


def public_check(tokens: Tokens, *, wanted: Status, answers: int = 1) -> CheckServer:
    """Return what asks the public URLs of a server, as its identity provider would.

    Only a server whose status is `wanted` is asked. `answers`: how many good answers in a row are
    needed; several after a restart. A public URL that is not reached is a warning. A wrong answer,
    or a certificate that an identity provider would refuse, makes the outcome a failed one, but
    rolls nothing back: the gate on the server was passed by then.
    """

    def check(looked: Looked, outcome: Outcome, watcher: Watcher) -> Outcome:
        server = looked.server
        if outcome.status is not wanted or not server.verify or looked.observed is None:
            return outcome
        watcher.step(server.name, "verify", True)
        try:
            checks = tuple(ask(server, looked.observed, tokens[server.name], answers))
            return with_checks(outcome, checks)
        except Exception as error:
            return replace(failure(server.name, error), plan=outcome.plan)
        finally:
            watcher.done(server.name)

    return check


def ask(
    server: Server, observed: Observed, tokens: Mapping[str, Secret], answers: int
) -> Iterator[Check]:
    """Ask the public URL of each realm of a server."""
    if observed.external_host is None:
        message = (
            "the public URLs were not asked: EXTERNAL_HOST in settings.py is not a plain value, so "
            "they may belong to another server"
        )
        yield Check("", "address", "warning", message)
        return
    hosts = Hosts(observed.external_host, observed.realm_hosts)
    for realm in server.realms:
        if not realm.present:
            continue
        if token := tokens.get(realm.string_id):
            yield from verify(server, realm, token, hosts, answers)
        else:
            message, hint = "this realm has no token yet", "create one: scimconf apply"
            yield Check(realm.string_id, "token", "failed", message, hint=hint)


def with_checks(outcome: Outcome, checks: tuple[Check, ...]) -> Outcome:
    """Return the outcome with the answers of the public URLs, as far as they decide about it.

    A public URL that was not reached proves nothing: `verify` then has no other proof, while a
    change was proved by the gate on the server.
    """
    outcome = replace(outcome, checks=checks)
    if any(check.result == "failed" for check in checks):
        message = "the public URL failed a check"
        hint = ""
        if outcome.status is Status.CHANGED:
            hint = "the change is in force on the server; check the proxy in front of it"
        return replace(outcome, status=Status.FAILED, message=message, hint=hint)
    if outcome.verified == "no" and outcome.status is Status.OK:
        realms = dict.fromkeys(check.realm for check in checks if check.result == "warning")
        names = ", ".join(realm or "(root)" for realm in realms)
        message = f"not verified, because this machine did not reach the public URL: realm {names}"
        return replace(outcome, status=Status.UNREACHABLE, message=message)
    return outcome

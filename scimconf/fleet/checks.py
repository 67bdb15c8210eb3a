"""Check the public URLs of a server after a change, or for `verify`, and judge the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain

from scimconf.fleet.look import Looked, failure
from scimconf.fleet.trial import Trial
from scimconf.fleet.verify import Asker, Hosts, verify
from scimconf.model import Check, Observed, Outcome, Realm, Server, Status
from scimconf.plan.commands import for_realm, for_server
from scimconf.secret import Secret

_MANY = 10
"""Realms of one server. So many are asked at the same time, and each one once."""
_AT_A_TIME = 5
"""Realms of one server that are asked at the same time. Each request takes several round trips."""

More = Callable[[Asker], Iterable[Check]]


@dataclass(frozen=True, slots=True)
class TrialUser:
    """The user that `verify --test-user` tries."""

    email: str
    servers: frozenset[str]
    """Where it is tried: one server of each deployment, because they share their realms."""


def check(
    looked: Looked,
    outcome: Outcome,
    tokens: Mapping[str, Secret],
    answers: int,
    test_user: TrialUser | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Check the public URLs of a server, as its identity provider would. Never raises.

    `answers`: how many good answers in a row are needed; several after a restart. An unreachable
    public URL is a warning. A wrong answer, or a certificate that an identity provider would
    refuse, is a failure. It rolls nothing back, because the server has passed the gate.
    `test_user`: also try this user; after Ctrl-C (`interrupted`), it is only removed.
    """
    server = looked.server
    if looked.observed is None:
        return outcome
    try:
        tried = test_user if test_user and server.name in test_user.servers else None
        checks = tuple(ask(server, looked.observed, tokens, answers, tried, interrupted))
        return with_checks(outcome, checks)
    except Exception as error:
        return replace(failure(server.name, error), plan=outcome.plan)


def not_checked(looked: Looked, outcome: Outcome) -> Outcome:
    """Return the outcome of a server whose check was left out after Ctrl-C.

    A change keeps its status. For `verify`, the check is all that there is to do.
    """
    return replace(
        outcome,
        status=Status.SKIPPED if outcome.status is Status.OK else outcome.status,
        message="the public URL was not checked, because the run was interrupted",
        hint=f"to check it: {for_server('verify', looked.server)}",
    )


def ask(
    server: Server,
    observed: Observed,
    tokens: Mapping[str, Secret],
    answers: int,
    test_user: TrialUser | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Check]:
    """Check the public URL of each realm of a server. `test_user`: also try this user."""
    if observed.external_host is None:
        message = (
            "the public URLs were not asked: EXTERNAL_HOST in settings.py is not a plain value, so "
            "they may belong to another server"
        )
        yield Check("", "address", "warning", message)
        return
    hosts = Hosts(observed.external_host, observed.realm_hosts)
    present = [realm for realm in server.realms if realm.present]
    # The answers for many realms tell as much about the server's workers as several for one.
    times = 1 if len(present) >= _MANY else answers

    def one(realm: Realm) -> tuple[Check, ...]:
        if token := tokens.get(realm.string_id):
            if not test_user:
                return verify(server, realm, token, hosts, times)
            more = _trial(token, test_user, observed, interrupted)
            return verify(server, realm, token, hosts, times, more=more)
        message = "this realm has no token yet"
        hint = f"create one: {for_realm('apply', server, realm.string_id)}"
        return (Check(realm.string_id, "token", "failed", message, hint=hint),)

    if len(present) < _MANY:
        yield from chain.from_iterable(map(one, present))
        return
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        yield from chain.from_iterable(pool.map(one, present))


def _trial(
    token: Secret, test_user: TrialUser, observed: Observed, interrupted: Callable[[], bool]
) -> More:
    def more(asker: Asker) -> Iterator[Check]:
        if interrupted():
            return iter(())
        fields = observed.fields.get(asker.realm.string_id, {})
        return Trial(asker, token, test_user.email, fields, interrupted).run()

    return more


def with_checks(outcome: Outcome, checks: tuple[Check, ...]) -> Outcome:
    """Return the outcome with these checks, and with the status that follows from them.

    If a public URL was not reached, `verify` has no proof, so the server is unreachable. A change
    keeps its status, because the gate on the server has proved it.
    """
    outcome = replace(outcome, checks=(*outcome.checks, *checks))
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

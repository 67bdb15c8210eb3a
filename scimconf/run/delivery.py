"""Deliver tokens to identity providers: what `deliver`, `apply` and `rotate` share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

from scimconf.errors import ScimconfError, UsageError, bug
from scimconf.fleet.fleet import Fleet
from scimconf.fleet.look import Looked
from scimconf.fleet.watcher import Watcher
from scimconf.idp import hosts
from scimconf.idp.base import Idp, NotSupportedError, Target
from scimconf.idp.credentials import read
from scimconf.idp.kinds import credentials, destination, words
from scimconf.idp.providers import provider
from scimconf.model import ActionKind, Check, Deliver, Outcome, Realm, Reference, Server, Status
from scimconf.plan.commands import for_realm
from scimconf.run import changes
from scimconf.run.options import DeliveryOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.start import sources, token_file
from scimconf.sanitize import visible
from scimconf.secret import Secret, redact
from scimconf.tokens import rotation
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.references import SOURCES
from scimconf.tokens.store import Key, place
from scimconf.zulip.presets import PRESETS

_FAILED = {
    "pause": "cannot pause provisioning",
    "set": "cannot set the token",
    "set the old token": "cannot set the old token again",
    "test": "the test of the token failed",
    "resume": "cannot start provisioning",
}
"""What failed, by step. The others explain themselves."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one realm's token."""

    key: Key
    server: Server
    """One server of the deployment."""
    deliver: Deliver
    target: Target

    def idp(self) -> Idp:
        """Return the identity provider. Nothing is read or sent yet."""
        return provider(self.deliver, self.target)

    def check(self, step: str, result: str, message: str, hint: str = "") -> Check:
        """Return the result of one step."""
        return Check(self.key[1], f"deliver: {step}", result, message, hint=hint)  # type: ignore[arg-type]

    def failed(self, step: str, error: Exception) -> Check:
        """Return the failure of a step. The message is redacted: a provider may repeat a token."""
        known = error if isinstance(error, ScimconfError) else bug(error)
        hint = redact(known.hint)
        if isinstance(error, NotSupportedError):
            hint = hint or f"enter the token by hand; to print it: {self.by_hand}"
        message = f"{_FAILED[step]}: {known.message}" if step in _FAILED else known.message
        return self.check(step, "failed", redact(message), hint)

    def to_repeat(self, failed: Check) -> Check:
        """Return the failed step of `apply`, with the command that delivers the token later."""
        hint = f"the token is in force in Zulip; to deliver it again: {self.again}"
        if self.by_hand in failed.hint:  # the provider takes no token
            return failed
        return replace(failed, hint=f"{failed.hint}; {hint}" if failed.hint else hint)

    @property
    def again(self) -> str:
        """The command that delivers the token in force again."""
        return for_realm("deliver", self.server, self.key[1])

    @property
    def by_hand(self) -> str:
        """The command that prints the token for a person."""
        return for_realm("handoff --show-tokens", self.server, self.key[1])

    @property
    def in_steps(self) -> str:
        """What to do with a staged token that a person has to enter."""
        sheet = for_realm("handoff --next --show-tokens", self.server, self.key[1])
        activate = for_realm("rotate --activate", self.server, self.key[1])
        return (
            f"the new token is staged; to enter it by hand, print it: {sheet}; then change Zulip: "
            f"{activate}"
        )


def deliveries(servers: Iterable[Server], realms: Collection[Key] | None = None) -> list[Delivery]:
    """Return the deliveries of these servers' present realms, each once; only those of `realms`.

    Raises UsageError if two servers of a deployment name different places for the same token.
    """
    found: dict[Key, Delivery] = {}
    for server in servers:
        for realm in server.realms:
            key = (server.deployment, realm.string_id)
            if realm.deliver is None or not realm.present or (realms and key not in realms):
                continue
            target = Target(*key, _base_url(realm, realm.deliver))
            new = Delivery(key, server, realm.deliver, target)
            same = found.setdefault(key, new)
            if (same.deliver, same.target) != (new.deliver, new.target):
                raise UsageError(
                    f"{same.server.name} and {server.name} are one deployment, but deliver the "
                    f"token of realm {realm.label} to different places",
                    "set the same deliver and url on both",
                )
    return list(found.values())


def _base_url(realm: Realm, deliver: Deliver) -> str:
    preset = PRESETS[deliver.kind if deliver.kind in PRESETS else realm.idp]
    return f"{realm.url}/scim/v2{preset.base_url_suffix}"


def check_hosts(found: Iterable[Delivery], options: DeliveryOptions, source: SourceOptions) -> None:
    """Raise UsageError for a delivery to a host that the operator has not listed."""
    found = list(found)
    if not found:
        return
    folder = place(source.tokens, sources(source)).absolute().parent
    allowed = hosts.load(options.idp_host, folder)
    allowed.check((each.deliver, f"the token of {each.target.label}") for each in found)


def check_credentials(found: Iterable[Delivery]) -> None:
    """Raise UsageError, before anything is changed, if a credential cannot be read."""
    for each in found:
        for reference in credentials(each.deliver):
            read(reference)


def planned(looked: Iterable[Looked]) -> list[Delivery]:
    """Return the deliveries that the plans of these servers contain. Raises UsageError."""
    looked = [each for each in looked if each.pending]
    keys = {
        (each.server.deployment, action.realm or "")
        for each in looked
        for action in (each.plan.actions if each.plan else ())
        if action.kind is ActionKind.DELIVER
    }
    return deliveries((each.server for each in looked), keys) if keys else []


def described(found: Iterable[Delivery], *, only_test: bool = False) -> Iterator[str]:
    """Yield what this machine does for each delivery, for the person who consents to it."""
    for each in found:
        label = each.target.label
        if each.deliver.kind == "command":
            command = Reference("command", words(each.deliver), each.deliver.folder)
            yield f"{visible(SOURCES['command'].describe(command))}  ({label})"
            continue
        for reference in credentials(each.deliver):
            yield f"{visible(SOURCES[reference.kind].describe(reference))}  ({label})"
        where = visible(destination(each.deliver).text)
        what = f"ask {where} to test its token" if only_test else f"send its token to {where}"
        yield f"{what}  ({label})"


def begun(delivery: Delivery, keyring: Keyring, looked: Iterable[Looked]) -> str:
    """Return the note that an earlier run has begun this delivery and not ended it; "" if none.

    The note of the token file counts first: a pipeline may have lost it, but not changed it.
    """
    deployment, realm = delivery.key
    entry = keyring.file.entry(deployment, realm)
    on_servers = [
        each.observed.deliveries.get(realm, "")
        for each in looked
        if each.server.deployment == deployment and each.observed
    ]
    return next(filter(None, [entry.delivering if entry else "", *on_servers]), "")


def is_paused(note: str) -> bool:
    """Return whether the run that has written this note has paused the identity provider."""
    return bool(note) and not rotation.was_paused(note)


def unfinished(source: SourceOptions, servers: Iterable[Server]) -> Iterator[str]:
    """Yield the commands that finish deliveries, by the notes in the token file.

    A token file that is missing or cannot be read has no notes.
    """
    with suppress(UsageError):
        entries = token_file(source).entries
        for server in servers:
            for realm in server.realms:
                entry = entries.get((server.deployment, realm.string_id))
                if entry and entry.delivering and realm.deliver:
                    again = for_realm("deliver", server, realm.string_id)
                    what = f"realm {realm.label} of {server.name}: a delivery to its identity "
                    yield f"{what}provider has not ended; to finish it: {again}"


Note = Callable[[Looked, Mapping[str, tuple[str, str]], Watcher], Outcome]
"""Changes the notes on a server; see `fleet.job.Note`."""


def forget(
    delivery: Delivery, looked: Iterable[Looked], note: Note, watcher: Watcher
) -> Iterator[Check]:
    """Delete the notes of a delivery that has ended from its servers. Yield what failed."""
    deployment, realm = delivery.key
    for each in looked:
        text = each.observed.deliveries.get(realm) if each.observed else None
        if not text or each.server.deployment != deployment:
            continue
        done = note(each, {realm: (text, "")}, watcher)
        if done.status is not Status.CHANGED:
            message = f"the note on {each.server.name} was not deleted: {done.message}"
            yield delivery.check("note", "warning", message, f"to delete it: {delivery.again}")


def delivered(delivery: Delivery, token: Secret | None, *, resume: bool = False) -> Iterator[Check]:
    """Set the token and test it; yield the result of each step, and stop at the first failure.

    `token`: None means only the test. `resume`: provisioning was paused, so start it again.
    """
    idp = delivery.idp()
    steps: list[tuple[str, Callable[[], object]]] = [("check", idp.check)]
    if token is not None:
        secret = token
        steps.append(("set", lambda: idp.set(secret)))
    steps.append(("test", idp.test))
    if resume:
        steps.append(("resume", idp.resume))
    for name, step in steps:
        try:
            said = step()
        except Exception as error:
            if name != "test" or not isinstance(error, NotSupportedError):
                yield delivery.failed(name, error)
                return
            yield delivery.check(name, "warning", f"not tested: {error.message}")
        else:
            if isinstance(said, str):
                yield delivery.check(name, "ok", said)


def with_deliveries(
    outcome: Outcome, checks: Iterable[Check], done: Status, *, only_test: bool = False
) -> Outcome:
    """Return the outcome with these steps. A failed one fails the server; else it is `done`."""
    checks = tuple(checks)
    outcome = replace(outcome, checks=(*outcome.checks, *checks))
    if any(each.result == "failed" for each in checks):
        message = (
            "the test at the identity provider failed"
            if only_test
            else "the token was not delivered to the identity provider"
        )
        said = f"{message}; {outcome.message}" if outcome.message else message
        return replace(outcome, status=Status.FAILED, message=said)
    return replace(outcome, status=done)


def in_force(delivery: Delivery, looked: Iterable[Looked]) -> bool:
    """Return whether every server of the deployment has the token of the token file."""
    deployment, realm = delivery.key
    found = [
        each.observed.realms.get(realm) if each.observed else None
        for each in looked
        if each.server.deployment == deployment
    ]
    return bool(found) and all(
        each is not None and each.token is not None and each.token.matches is True for each in found
    )


def by_server(found: Iterable[Delivery]) -> Mapping[str, list[Delivery]]:
    """Return the deliveries by the name of the server that reports them."""
    grouped: dict[str, list[Delivery]] = {}
    for each in found:
        grouped.setdefault(each.server.name, []).append(each)
    return grouped


def after_change(
    fleet: Fleet,
    looked: Sequence[Looked],
    outcomes: Sequence[Outcome],
    found: Iterable[Delivery],
    keyring: Keyring,
    person: Person,
) -> list[Outcome]:
    """Deliver new tokens that are in force on all servers of their deployments."""
    servers = [each.server for each in looked]
    whole = {each.deployment for each in changes.in_force(servers, outcomes)}
    of_server = by_server(each for each in found if each.key[0] in whole)
    if not of_server:
        return list(outcomes)
    tokens = keyring.tokens(each.server for each in looked if each.server.name in of_server)

    def check(each: Looked, outcome: Outcome, watcher: Watcher) -> Outcome:
        mine = of_server.get(each.server.name, ())
        if not mine or fleet.interrupted:
            return outcome
        watcher.step(each.server.name, "deliver", True)
        try:
            checks = []
            for one in mine:
                token = tokens[each.server.name][one.key[1]]
                resume = is_paused(begun(one, keyring, looked))
                steps = list(delivered(one, token, resume=resume))
                checks += steps
                if any(step.result == "failed" for step in steps):
                    checks[-1] = one.to_repeat(checks[-1])
                else:
                    checks += forget(one, looked, fleet.note, watcher)
            return with_deliveries(outcome, checks, outcome.status)
        finally:
            watcher.done(each.server.name)

    with person.progress(steps=True) as watcher:
        return fleet.each(looked, outcomes, check, watcher)


def was_delivered(outcome: Outcome, realm: str) -> bool:
    """Return whether the token of a realm was set at its identity provider, and no step failed."""
    mine = [each for each in outcome.checks if each.is_delivery and each.realm == realm]
    return bool(mine) and all(each.result != "failed" for each in mine)


def note_delivered(
    keyring: Keyring, found: Iterable[Delivery], outcomes: Iterable[Outcome]
) -> None:
    """Write into the token file which tokens were delivered. Raises UsageError."""
    by_name = {each.server: each for each in outcomes}
    now = datetime.now(timezone.utc)
    keyring.note(
        {
            each.key: partial(rotation.delivered, now=now)
            for each in found
            if each.server.name in by_name and was_delivered(by_name[each.server.name], each.key[1])
        }
    )

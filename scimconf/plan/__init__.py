"""Compare a server as it should be with a server as it is: pure, no I/O, no secret.

`apply` carries out what this says and nothing else, so what `plan` shows is what `apply` does.
Tokens are compared by fingerprint, on the server (docs/agent.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from scimconf.model import (
    Action,
    ActionKind,
    Desired,
    Fingerprint,
    Observed,
    ObservedRealm,
    ObservedToken,
    Plan,
    Position,
    Realm,
    Server,
    Unmanaged,
)
from scimconf.plan.diff import Change, unified
from scimconf.plan.proof import down, no_answer, unproved
from scimconf.tokens.fingerprint import short
from scimconf.zulip import block
from scimconf.zulip.bearer import secret_name
from scimconf.zulip.hosts import refusal
from scimconf.zulip.login_page import deactivated, moved_to, same_host, url_of
from scimconf.zulip.versions import Feature, advice, available


def plan(desired: Desired, observed: Observed) -> Plan:
    """Give what apply would do to make `observed` into `desired`, in the order it would do it.

    Where a run was interrupted, what it left comes first: what else is to be done can be seen
    only after that. While another run is at work, nothing is planned: what was seen may change.
    """
    server = desired.server
    if observed.at_work:
        return Plan(server.name, observed.version, busy=observed.at_work)
    if observed.interrupted:
        text = f"put back what an interrupted run left ({observed.interrupted}), then look again"
        recover = Action(ActionKind.RECOVER, None, text)
        return Plan(server.name, observed.version, actions=(recover,))
    verdicts = [_verdict(realm, desired, observed) for realm in server.realms]
    if server.unmanaged == "remove":
        unnamed = _unnamed(desired, observed)
        verdicts += [_unmanaged(found, server.paths.settings) for found in unnamed]
    to_report = tuple(_to_report(desired, observed))
    blocked = (
        observed.blocked
        or _wrong_server(desired, observed)
        or next((verdict.blocked for verdict in verdicts if verdict.blocked), "")
    )
    warnings = (
        *_server_warnings(desired, observed),
        *(warning for verdict in verdicts for warning in verdict.warnings),
    )
    left = Plan(server.name, observed.version, warnings=warnings, unmanaged=to_report)
    if blocked:
        return replace(left, blocked=blocked)
    actions = [action for verdict in verdicts for action in verdict.actions]
    unused = _unused_clients(desired, observed, actions)
    ours = [client for client in unused if client in observed.own_clients]
    actions += [_remove_client(realm, client, ", which nothing uses") for realm, client in ours]
    warnings += tuple(_stays(*client) for client in unused if client not in ours)
    if lost := _lost(actions, desired, observed):
        return replace(left, blocked=lost)
    actions = [*sorted(actions, key=_place), *_restart(desired, verdicts)]
    keep_empty = block.keeps_empty(observed.version)
    if keep_empty and _none_is_left(verdicts, observed):
        warnings = (*warnings, _stays_empty(observed))
    made = replace(left, actions=tuple(actions))
    # With changes pending, a site that is down is a warning: they may be the cure.
    silent = no_answer(server, observed) or down(server, observed)
    silent = silent if made.touches_server else None
    return replace(
        made,
        warnings=(*warnings, silent.message) if silent else warnings,
        unproved=None if made.touches_server else unproved(server, observed),
        diff=unified(
            observed,
            [verdict.change for verdict in verdicts],
            server.paths,
            keep_empty=keep_empty,
        ),
        settings_sha256=observed.settings_sha256,
        secrets_sha256=observed.secrets_sha256,
    )


def _none_is_left(verdicts: list[_Verdict], observed: Observed) -> bool:
    removed = {verdict.change.realm for verdict in verdicts if verdict.change.removed}
    added = any(verdict.change.entry is not None for verdict in verdicts)
    return bool(removed) and not added and removed >= set(observed.realms)


def _stays_empty(observed: Observed) -> str:
    return (
        "the last realm goes: SCIM_CONFIG = {} stays in settings.py, so that Zulip "
        f"{observed.version} answers an identity provider with 401. Without it each request would "
        "be a 500 and a mail to the administrators"
    )


_ORDER = {kind: number for number, kind in enumerate(ActionKind)}


def _place(action: Action) -> int:
    return _ORDER[action.kind]


# --- one realm --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is to be done about one realm."""

    change: Change
    actions: tuple[Action, ...] = ()
    warnings: tuple[str, ...] = ()
    blocked: str = ""
    stale: str = ""
    """Why the running server needs a restart though its files are right."""


def _verdict(realm: Realm, desired: Desired, observed: Observed) -> _Verdict:
    found = observed.realms.get(realm.string_id)
    if blocked := _obstacle(realm, found, desired, observed):
        return _Verdict(Change(realm.string_id), blocked=blocked)
    if realm.present:
        return _presence(realm, found, desired, observed)
    return _absence(realm, found, _useless_clients(realm, found, observed))


def _useless_clients(
    realm: Realm, found: ObservedRealm | None, observed: Observed
) -> Iterator[str]:
    """Give the clients of a realm that goes: the one its entry names, and ours if it is there."""
    if not observed.has_client_command:
        return
    named = _client_of(found)
    if named is not None:
        yield named
    ours = (realm.string_id, realm.client)
    if realm.client != named and observed.clients is not None and ours in observed.clients:
        yield realm.client


def _client_of(found: ObservedRealm | None) -> str | None:
    named = found.values.get("scim_client_name") if found else None
    return named if isinstance(named, str) else None


def _obstacle(
    realm: Realm, found: ObservedRealm | None, desired: Desired, observed: Observed
) -> str:
    """Say why nothing can be done about this realm, "" if it can."""
    server = desired.server
    if found and found.unreadable:
        remedy = "write it as plain values, or take the realm out of the inventory"
        return _computed(found, server.paths.settings, remedy)
    if not (realm.present or found):
        return ""
    if other := _other_host(realm, observed):
        return (
            f"realm {realm.label}: Zulip redirects {realm.url} to {other}, and no identity "
            f"provider follows a redirect; set for this realm in scim_realms: url: {other}"
        )
    if not realm.present:
        return ""
    return _unknown(realm, observed) or _secrets_unknown(server, observed)


def _unknown(realm: Realm, observed: Observed) -> str:
    """Return what to say where the running Zulip does not have the realm, "" if it has."""
    site = observed.sites.get(realm.string_id)
    status = observed.running.get(realm.string_id) or (site.status if site else None)
    if status not in (400, 404):
        return ""
    named = any(
        same_host(urlsplit(realm.url).netloc, each) for each in observed.realm_hosts.values()
    )
    if named or (status == 400 and not refusal(realm.url, observed.external_host or "", {})):
        return (
            f"realm {realm.label}: settings.py names the host of {realm.url}, and the running "
            f"Zulip does not know it ({status}); was Zulip restarted since settings.py was changed?"
        )
    if status == 404:
        return (
            f"realm {realm.label}: this Zulip has no organisation at {realm.url}; create it "
            "first, or correct the realm's name in the inventory"
        )
    return (
        f"realm {realm.label}: Zulip does not accept the host name of {realm.url}; is it "
        "under EXTERNAL_HOST, or in ALLOWED_HOSTS or REALM_HOSTS of settings.py?"
    )


def _other_host(realm: Realm, observed: Observed) -> str:
    """Return the URL that Zulip redirects the realm's URL to, "" if it does not.

    The running Zulip says so, or, where it was not restarted since, REALM_HOSTS in settings.py.
    """
    site = observed.sites.get(realm.string_id)
    if site and (moved := moved_to(site.status, site.location, realm.url)):
        return moved
    own = observed.realm_hosts.get(realm.string_id)
    if own is None or observed.blocked or same_host(own, urlsplit(realm.url).netloc):
        return ""
    return url_of(own) if available(Feature.REALM_HOST_REDIRECT, observed.version) else ""


def _secrets_unknown(server: Server, observed: Observed) -> str:
    if server.token_store == "secrets":  # noqa: S105
        return observed.unknown_secrets
    return ""


def _computed(found: ObservedRealm, settings: str, remedy: str) -> str:
    place = f"{settings}:{found.line}:{found.column}"
    return f"{place}: realm {found.label}: {found.unreadable}; {remedy}"


def _presence(
    realm: Realm, found: ObservedRealm | None, desired: Desired, observed: Observed
) -> _Verdict:
    name = realm.string_id
    fingerprint = desired.fingerprints.get(name)
    known = bool(fingerprint and found and found.token and found.token.matches)
    removed_on = desired.unrecorded.get(name)
    in_secrets = desired.server.token_store == "secrets"  # noqa: S105
    secret = secret_name(name) if in_secrets else None

    before = _mask_found(realm, found)
    # The salt of a fingerprint that is not in the token file yet is another in the next plan.
    after = before if known else _mask_wanted(realm, None if removed_on == "" else fingerprint)
    place = block.SecretName(secret) if secret else after
    entry, warnings = block.entry(realm, place, observed.version)
    moved = found is None or found.secret_name != secret
    right = name in observed.right_secrets  # and then it is only to be referred to
    keys = list(_changed_keys(realm, found, observed.version))
    if found and (moved or not (known or in_secrets)):
        keys.insert(0, "bearer_token")

    actions: list[Action] = []
    if fingerprint is None or removed_on is not None:
        actions.append(_new_token(realm, found, removed_on or ""))
    if secret and not right and (moved or not known):
        verb = "change" if secret in observed.secret_names else "add"
        actions.append(
            Action(ActionKind.SET_SECRET, name, f"{verb} {secret} in zulip-secrets.conf")
        )
    if found is None:
        actions.append(_set_realm(realm, "add", ""))
    elif keys:
        actions.append(_set_realm(realm, "change", f": {', '.join(keys)}"))
    if found and found.token and not known and fingerprint and name in desired.others:
        actions = [_replacing(each) for each in actions]
    dropped = found.secret_name if found and moved else None
    if dropped:
        actions.append(_remove_secret(name, dropped))
    if _unregistered(realm, found, observed):
        text = f"register SCIM client {realm.client} for realm {realm.label}"
        actions.append(Action(ActionKind.REGISTER_CLIENT, name, text, realm.client))
    change = Change(
        name,
        entry=entry if found is None or keys else None,
        secret_before=(found.secret_name, before.text)
        if found and found.secret_name and found.token
        else None,
        secret_after=(secret, after.text) if secret and not (right and moved) else None,
    )
    if found and found.token and not known:
        warnings += tuple(_other_token(realm, found.token, desired))
    to_server = any(action.kind is not ActionKind.RECORD_TOKEN for action in actions)
    stale = "" if to_server else _stale(realm, observed)
    return _Verdict(change, tuple(actions), warnings, stale=stale)


def _mask_found(realm: Realm, found: ObservedRealm | None) -> block.Mask:
    if not found or not found.token:
        return block.mask(realm)
    return block.mask(realm, found.token.length, found.token.short)


def _mask_wanted(realm: Realm, fingerprint: Fingerprint | None) -> block.Mask:
    if fingerprint is None:
        return block.mask(realm, new=True)
    return block.mask(realm, short=short(fingerprint))


def _changed_keys(realm: Realm, found: ObservedRealm | None, version: str) -> Iterator[str]:
    """Give the keys, the token's aside, that are missing, different or too many."""
    wanted = block.values(realm, version)
    has = found.values if found else {}
    for key in (*wanted, *(key for key in has if key not in wanted)):
        if key not in wanted or key not in has or has[key] != wanted[key]:
            yield key


def _set_realm(realm: Realm, verb: str, what: str) -> Action:
    text = f"{verb} realm {realm.label} in SCIM_CONFIG{what}"
    return Action(ActionKind.SET_REALM, realm.string_id, text)


def _new_token(realm: Realm, found: ObservedRealm | None, removed_on: str) -> Action:
    if removed_on:
        text = (
            f"put the token of realm {realm.label}, which was removed on {removed_on[:10]}, back "
            "in force in the token file"
        )
        return Action(ActionKind.RECORD_TOKEN, realm.string_id, text)
    if realm.token is not None:
        text = f"record the fingerprint of the token of realm {realm.label}"
        return Action(ActionKind.RECORD_TOKEN, realm.string_id, text)
    text = f"make a token for realm {realm.label}"
    if not (found and found.token):
        return Action(ActionKind.MAKE_TOKEN, realm.string_id, text)
    text += (
        ", replacing the one in force: the identity provider is locked out until it has the new "
        "token"
    )
    return Action(ActionKind.MAKE_TOKEN, realm.string_id, text, locks_out=True)


_OF_TOKEN = (ActionKind.SET_SECRET, ActionKind.SET_REALM)


def _replacing(action: Action) -> Action:
    """Return the action as one that replaces the token in force by that of the token file."""
    return replace(action, locks_out=action.kind in _OF_TOKEN)


def _other_token(realm: Realm, there: ObservedToken, desired: Desired) -> Iterator[str]:
    """Return what is known of a token on the server that is not the wanted one."""
    wanted = desired.fingerprints.get(realm.string_id)
    if wanted is None and realm.token is None:
        yield (
            f"realm {realm.label}: the token file has no token of it, and the server has one: "
            "`scimconf import` keeps it, if scimconf has put it there"
        )
    if wanted is None and realm.token is not None:
        yield (
            f"realm {realm.label}: apply fetches its token; if that is another than the one in "
            "force, the identity provider is locked out until it has it"
        )
    if wanted is None or realm.string_id not in desired.others:
        return
    others = {each.created for each in desired.others[realm.string_id]}
    if there.created and there.created in others:
        staged = there.created > wanted.created
        which, verb = ("the staged", "--activate") if staged else ("a previous", "--back")
        yield (
            f"realm {realm.label}: the server has {which} token (made {there.created}), not the "
            f"current one; to keep it: scimconf rotate {verb}"
        )
        return
    text = f"realm {realm.label}: the server has another token than the wanted one"
    if there.created > wanted.created:
        yield (
            f"{text}, and a newer one: made on {there.created}, the wanted one on "
            f"{wanted.created}. Was an older token file put back? apply would put the older token "
            "in force, and lock out an identity provider that has the newer one"
        )
    else:
        yield f"{text}: an identity provider that has it is locked out by apply"


def _remove_secret(realm: str, name: str) -> Action:
    return Action(ActionKind.REMOVE_SECRET, realm, f"remove {name} from zulip-secrets.conf")


def _unregistered(realm: Realm, found: ObservedRealm | None, observed: Observed) -> bool:
    if not observed.has_client_command:
        return False
    if observed.clients is not None:
        return (realm.string_id, realm.client) not in observed.clients
    # A 5.x server answers 200 to a registered client only, so the agent did not list them (1 s).
    return found is None or found.values.get("scim_client_name") != realm.client


def _stale(realm: Realm, observed: Observed) -> str:
    status = observed.running.get(realm.string_id)
    if status is None or status == 200:
        return ""
    if status == 401:
        return f"it still runs with another token for realm {realm.label}"
    return f"it answers {status} for realm {realm.label}, though its settings are right"


def _absence(
    realm: Realm | ObservedRealm, found: ObservedRealm | None, clients: Iterable[str]
) -> _Verdict:
    name, label = realm.string_id, realm.label
    actions = []
    if found:
        text = f"remove realm {label} from SCIM_CONFIG"
        actions.append(Action(ActionKind.REMOVE_REALM, name, text))
        if found.secret_name:
            actions.append(_remove_secret(name, found.secret_name))
    for client in clients:
        actions.append(_remove_client(name, client))
    secret = (found.secret_name, "<token>") if found and found.secret_name else None
    change = Change(name, removed=found is not None, secret_before=secret)
    return _Verdict(change, tuple(actions))


def _remove_client(realm: str, client: str, why: str = "") -> Action:
    text = f"remove SCIM client {client} of realm {realm or '(root)'}{why}"
    return Action(ActionKind.REMOVE_CLIENT, realm, text, client)


def _unmanaged(found: ObservedRealm, settings: str) -> _Verdict:
    if found.unreadable:
        remedy = "remove it by hand, or set scim_unmanaged to keep or report"
        blocked = _computed(found, settings, remedy)
        return _Verdict(Change(found.string_id), blocked=blocked)
    return _absence(found, found, ())


# --- the server as a whole --------------------------------------------------------------------


def _unused_clients(
    desired: Desired, observed: Observed, actions: Iterable[Action]
) -> list[tuple[str, str]]:
    """Return the registered clients that no realm will use, and that are not removed with one.

    They open nothing without an entry. Nothing is said of a realm whose entry is not data, or that
    this run is not about.
    """
    server = desired.server
    removed = {each.realm for each in actions if each.kind is ActionKind.REMOVE_REALM}
    going = {(each.realm, each.client) for each in actions if each.client}
    unknown = server.left_alone | {r for r, found in observed.realms.items() if found.unreadable}
    used = {
        name: _client_of(found) for name, found in observed.realms.items() if name not in removed
    }
    used |= {realm.string_id: realm.client for realm in server.realms if realm.present}
    return [
        (realm, client)
        for realm, client in sorted(observed.clients or ())
        if used.get(realm) != client and (realm, client) not in going and realm not in unknown
    ]


def _stays(realm: str, client: str) -> str:
    return (
        f"SCIM client {client} stays registered for realm {realm or '(root)'}, unused "
        "(not registered by scimconf)"
    )


def _unnamed(desired: Desired, observed: Observed) -> Iterator[ObservedRealm]:
    """Return the realms of the server that the inventory does not name."""
    server = desired.server
    named = server.left_alone | {realm.string_id for realm in server.realms}
    return (found for name, found in observed.realms.items() if name not in named)


def _to_report(desired: Desired, observed: Observed) -> Iterator[Unmanaged]:
    server = desired.server
    if server.unmanaged == "report":
        for found in _unnamed(desired, observed):
            place = Position(server.paths.settings, found.line, found.column)
            yield Unmanaged(found.string_id, place)


def _restart(desired: Desired, verdicts: list[_Verdict]) -> Iterator[Action]:
    if desired.server.restart == "none":
        return
    stale = [verdict.stale for verdict in verdicts if verdict.stale]
    if any(verdict.change.touches_files for verdict in verdicts):
        yield Action(ActionKind.RESTART, None, "restart Zulip")
    elif stale:
        yield Action(ActionKind.RESTART, None, f"restart Zulip: {'; '.join(stale)}")


def _wrong_server(desired: Desired, observed: Observed) -> str:
    wanted, found = desired.server.external_host, observed.external_host
    if found is None or found.lower() == wanted.lower():
        return ""
    return (
        f"settings.py says EXTERNAL_HOST = {found!r}, the inventory expects {wanted!r}: is this "
        "the right server? If so, set zulip_external_host"
    )


_OF_SETTINGS = (ActionKind.SET_REALM, ActionKind.REMOVE_REALM)
_OF_SECRETS = (ActionKind.SET_SECRET, ActionKind.REMOVE_SECRET)


def _lost(actions: Iterable[Action], desired: Desired, observed: Observed) -> str:
    """Say why what is to be done would be gone after the next start of a container; "" if not."""
    for action in actions:
        if observed.lost and action.kind in _OF_SETTINGS:
            return (
                f"{observed.lost}: start it with what `scimconf render {desired.server.name} --for "
                "docker-env` prints (docs/docker.md)"
            )
        if action.kind in _OF_SECRETS and _secret(action, observed) in observed.given_secrets:
            return (
                f"docker-zulip writes {_secret(action, observed)} into zulip-secrets.conf anew at "
                "every start: change it where the container gets it from (docs/docker.md)"
            )
    return ""


def _secret(action: Action, observed: Observed) -> str | None:
    """Give the name in zulip-secrets.conf that an action is about."""
    realm = action.realm or ""
    if action.kind is ActionKind.SET_SECRET:
        return secret_name(realm)
    return observed.realms[realm].secret_name


def _deactivated(desired: Desired, observed: Observed) -> Iterator[str]:
    for realm in desired.server.realms:
        site = observed.sites.get(realm.string_id)
        if realm.present and site and deactivated(site.status, site.location):
            yield (
                f"realm {realm.label} is deactivated: nobody can log in there, though SCIM still "
                "answers; reactivate it in Zulip, or set state: absent for it in scim_realms"
            )


def _server_warnings(desired: Desired, observed: Observed) -> Iterator[str]:
    server = desired.server
    if observed.finished_alone:
        yield observed.finished_alone.text
    if observed.unseen:
        yield observed.unseen
    if observed.blocked:
        return
    yield from advice(observed.version)
    yield from _deactivated(desired, observed)
    if observed.unknown_secrets:
        yield observed.unknown_secrets
    if observed.has_client_command and observed.clients is None:
        yield "the registered SCIM clients could not be listed: unused ones are not seen"
    if observed.external_host is None:
        yield "EXTERNAL_HOST in settings.py is not a plain value: not compared with the inventory"
    if server.unmanaged == "keep":
        for found in _unnamed(desired, observed):
            place = f"{server.paths.settings}:{found.line}:{found.column}"
            yield f"realm {found.label} at {place}: unmanaged, left unchanged"
    if server.restart == "none":
        yield "scim_restart is none: restart Zulip by hand after a change"

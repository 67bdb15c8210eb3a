"""Compare one realm with its entry in SCIM_CONFIG, and plan its actions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from scimconf.idp.kinds import destination
from scimconf.model import (
    NOT_ON_SERVER,
    Action,
    ActionKind,
    Deliver,
    Desired,
    Fingerprint,
    Observed,
    ObservedRealm,
    ObservedToken,
    Realm,
)
from scimconf.plan import commands
from scimconf.plan.diff import Change
from scimconf.plan.obstacles import computed, obstacle
from scimconf.server_warning import ServerWarning
from scimconf.tokens.fingerprint import short
from scimconf.zulip import block
from scimconf.zulip.bearer import secret_name


@dataclass(frozen=True, slots=True)
class Verdict:
    """The planned change of one realm."""

    change: Change
    actions: tuple[Action, ...] = ()
    warnings: tuple[ServerWarning, ...] = ()
    blocked: str | None = None
    """Why the realm cannot be changed."""
    stale: str | None = None
    """Why the running Zulip needs a restart, although its files are right."""


def for_realm(realm: Realm, desired: Desired, observed: Observed) -> Verdict:
    """Plan the actions that add, change or remove a realm of the inventory."""
    found = observed.realms.get(realm.string_id)
    if blocked := obstacle(realm, found, desired, observed):
        return Verdict(Change(realm.string_id), blocked=blocked)
    if realm.present:
        return _presence(realm, found, desired, observed)
    return _absence(realm, found, _useless_clients(realm, found, observed))


def for_unmanaged(found: ObservedRealm, settings: str) -> Verdict:
    """Plan the actions that remove an unmanaged realm (`scim_unmanaged: remove`)."""
    if found.unreadable:
        remedy = "remove the entry by hand, or set scim_unmanaged to keep or report"
        return Verdict(Change(found.string_id), blocked=computed(found, settings, remedy))
    return _absence(found, found, ())


def _presence(
    realm: Realm, found: ObservedRealm | None, desired: Desired, observed: Observed
) -> Verdict:
    name = realm.string_id
    fingerprint = desired.fingerprints.get(name)
    present_token = found.token if found else None
    has_wanted_token = bool(fingerprint and present_token and present_token.matches)
    removed_on = desired.unrecorded.get(name)
    in_secrets = desired.server.token_store == "secrets"  # noqa: S105
    secret = secret_name(name) if in_secrets else None
    moves = found is None or found.secret_name != secret
    # zulip-secrets.conf has the wanted token already, so the entry only has to refer to it.
    secret_is_right = name in observed.right_secrets
    keys = _changed_keys(realm, found, observed.version)
    if found and (moves or not (has_wanted_token or in_secrets)):
        keys.insert(0, "bearer_token")

    actions: list[Action] = []
    if name in desired.moved:
        actions.append(_move_token(realm, desired))
    elif fingerprint is None or removed_on is not None:
        actions.append(_new_token(realm, found, removed_on or ""))
    if secret and not secret_is_right and (moves or not has_wanted_token):
        verb = "change" if secret in observed.secret_names else "add"
        text = f"{verb} {secret} in zulip-secrets.conf"
        actions.append(Action(ActionKind.SET_SECRET, name, text))
    if found is None:
        actions.append(_set_realm(realm, "add", ""))
    elif keys:
        actions.append(_set_realm(realm, "change", f": {', '.join(keys)}"))
    replaces = bool(present_token) and not has_wanted_token
    if replaces and fingerprint and name in desired.others and not desired.turned:
        actions = [_replacing(each) for each in actions]
    if found and found.secret_name and moves:
        actions.append(_remove_secret(name, found.secret_name))
    if _unregistered(realm, found, observed):
        text = f"register SCIM client {realm.client} for realm {realm.label}"
        actions.append(Action(ActionKind.REGISTER_CLIENT, name, text, realm.client))
    if realm.deliver and not has_wanted_token:
        actions.append(_deliver(realm, realm.deliver))

    before = _mask_found(realm, present_token)
    # A fingerprint that is not in the token file yet has a random salt. In a mask, it would change
    # with every plan.
    lasting = None if removed_on == "" else fingerprint
    after = before if has_wanted_token else _mask_wanted(realm, lasting)
    place = block.SecretName(secret) if secret else after
    entry, left_out = block.entry(realm, place, observed.version)
    warnings = tuple(ServerWarning("unknown-key", text) for text in left_out)
    change = Change(
        name,
        entry=entry if found is None or keys else None,
        secret_before=(found.secret_name, before.text)
        if found and found.secret_name and present_token
        else None,
        secret_after=(secret, after.text) if secret and not (secret_is_right and moves) else None,
    )
    if present_token and replaces:
        said = _other_token(realm, present_token, desired)
        warnings += tuple(ServerWarning("lock-out", text) for text in said)
    if name in desired.staged and not replaces:
        warnings += (ServerWarning("staged-token", _staged(realm, desired)),)
    to_server = any(action.kind not in NOT_ON_SERVER for action in actions)
    stale = None if to_server else _stale(realm, observed)
    return Verdict(change, tuple(actions), warnings, stale=stale)


def _absence(
    realm: Realm | ObservedRealm, found: ObservedRealm | None, clients: Iterable[str]
) -> Verdict:
    name = realm.string_id
    actions = []
    if found:
        text = f"remove realm {realm.label} from SCIM_CONFIG"
        actions.append(Action(ActionKind.REMOVE_REALM, name, text))
        if found.secret_name:
            actions.append(_remove_secret(name, found.secret_name))
    actions += [remove_client(name, client) for client in clients]
    secret = (found.secret_name, "<token>") if found and found.secret_name else None
    change = Change(name, removed=found is not None, secret_before=secret)
    return Verdict(change, tuple(actions))


# --- the token ----------------------------------------------------------------------------------


def _mask_found(realm: Realm, token: ObservedToken | None) -> block.Mask:
    return block.mask(realm, token.length, token.short) if token else block.mask(realm)


def _mask_wanted(realm: Realm, fingerprint: Fingerprint | None) -> block.Mask:
    if fingerprint is None:
        return block.mask(realm, new=True)
    return block.mask(realm, short=short(fingerprint))


def _move_token(realm: Realm, desired: Desired) -> Action:
    deployment, old = desired.moved[realm.string_id]
    text = (
        f"move the token of realm {old or '(root)'} of {deployment} to realm {realm.label} of "
        f"{desired.server.deployment} in the token file"
    )
    return Action(ActionKind.MOVE_TOKEN, realm.string_id, text)


def _staged(realm: Realm, desired: Desired) -> str:
    activate = commands.for_realm("rotate --activate", desired.server, realm.string_id)
    return (
        f"realm {realm.label}: a token is staged (made {desired.staged[realm.string_id]}); to put "
        f"it in force: {activate}"
    )


def _new_token(realm: Realm, found: ObservedRealm | None, removed_on: str) -> Action:
    if removed_on:
        text = (
            f"restore the token of realm {realm.label} (removed on {removed_on[:10]}) in the token "
            "file"
        )
        return Action(ActionKind.RECORD_TOKEN, realm.string_id, text)
    if realm.token is not None:
        text = f"record the fingerprint of the token of realm {realm.label}"
        return Action(ActionKind.RECORD_TOKEN, realm.string_id, text)
    text = f"make a token for realm {realm.label}"
    if not (found and found.token):
        return Action(ActionKind.MAKE_TOKEN, realm.string_id, text)
    text += (
        ", replacing the token in force: the identity provider is locked out until it has the new "
        "token"
    )
    return Action(ActionKind.MAKE_TOKEN, realm.string_id, text, locks_out=True)


_OF_TOKEN = (ActionKind.SET_SECRET, ActionKind.SET_REALM)


def _replacing(action: Action) -> Action:
    """Mark an action that replaces the token in force with the one of the token file."""
    return replace(action, locks_out=action.kind in _OF_TOKEN)


def _other_token(realm: Realm, token: ObservedToken, desired: Desired) -> Iterator[str]:
    """Warn about a token on the server that is not known to be the wanted one."""
    wanted = desired.fingerprints.get(realm.string_id)
    if wanted is None and token.stray:
        deployment, old = token.stray
        move = commands.move(
            token.stray, (desired.server.deployment, realm.string_id), desired.server.words
        )
        yield (
            f"realm {realm.label}: this looks like a rename: the server has the token of realm "
            f"{old or '(root)'} of {deployment}, which is in the token file, but not in the "
            f"inventory any more; to keep the token: {move}"
        )
        return
    if wanted is None and realm.token is None:
        keep = commands.for_realm("import", desired.server, realm.string_id)
        yield (
            f"realm {realm.label}: the server has a token, but the token file has none; if "
            f"scimconf put that token there, keep it: {keep}"
        )
    if wanted is None and realm.token is not None:
        yield (
            f"realm {realm.label}: apply fetches its token; if it is not the token in force, the "
            "identity provider is locked out until it has the fetched token"
        )
    if wanted is None or realm.string_id not in desired.others or desired.turned:
        return
    others = {each.created for each in desired.others[realm.string_id]}
    if token.created and token.created in others:
        staged = token.created > wanted.created
        which, verb = ("the staged", "--activate") if staged else ("a previous", "--back")
        keep = commands.for_realm(f"rotate {verb}", desired.server, realm.string_id)
        yield (
            f"realm {realm.label}: the server has {which} token (made {token.created}), not the "
            f"current one; to keep it: {keep}"
        )
        return
    text = f"realm {realm.label}: the server does not have the wanted token"
    if token.created > wanted.created:
        yield (
            f"{text}; it has a newer one ({token.created}, the wanted one is from "
            f"{wanted.created}). If an older token file was restored, restore the newest one: "
            "apply would lock out an identity provider that has the newer token"
        )
    else:
        yield f"{text}; apply locks out an identity provider that has the server's token"


def _deliver(realm: Realm, deliver: Deliver) -> Action:
    text = f"deliver the token of realm {realm.label} to {destination(deliver).text}"
    return Action(ActionKind.DELIVER, realm.string_id, text)


def _remove_secret(realm: str, name: str) -> Action:
    return Action(ActionKind.REMOVE_SECRET, realm, f"remove {name} from zulip-secrets.conf")


# --- the entry, the client, the restart -----------------------------------------------------------


def _changed_keys(realm: Realm, found: ObservedRealm | None, version: str) -> list[str]:
    """Return the keys to add, change or remove, except bearer_token."""
    wanted = block.values(realm, version)
    present = found.values if found else {}
    return [
        key
        for key in dict.fromkeys((*wanted, *present))
        if key not in wanted or key not in present or present[key] != wanted[key]
    ]


def _set_realm(realm: Realm, verb: str, what: str) -> Action:
    text = f"{verb} realm {realm.label} in SCIM_CONFIG{what}"
    return Action(ActionKind.SET_REALM, realm.string_id, text)


def _useless_clients(
    realm: Realm, found: ObservedRealm | None, observed: Observed
) -> Iterator[str]:
    """Yield the clients of a removed realm: its entry's, and the inventory's if registered."""
    if not observed.has_client_command:
        return
    named = client_of(found)
    if named is not None:
        yield named
    wanted = (realm.string_id, realm.client)
    if realm.client != named and observed.clients is not None and wanted in observed.clients:
        yield realm.client


def client_of(found: ObservedRealm | None) -> str | None:
    """Return the client that an entry names; None if it names no client."""
    named = found.values.get("scim_client_name") if found else None
    return named if isinstance(named, str) else None


def _unregistered(realm: Realm, found: ObservedRealm | None, observed: Observed) -> bool:
    if not observed.has_client_command:
        return False
    if observed.clients is not None:
        return (realm.string_id, realm.client) not in observed.clients
    # The clients could not be listed, but SCIM answered 200 (agent/observe.py, `_clients`). A 5.x
    # server answers 200 only to a registered client.
    return found is None or found.values.get("scim_client_name") != realm.client


def remove_client(realm: str, client: str, why: str = "") -> Action:
    """Return the action that removes a registered client of 5.x."""
    text = f"remove SCIM client {client} of realm {realm or '(root)'}{why}"
    return Action(ActionKind.REMOVE_CLIENT, realm, text, client)


def _stale(realm: Realm, observed: Observed) -> str | None:
    status = observed.running.get(realm.string_id)
    if status is None or status == 200:
        return None
    if status == 401:
        return f"Zulip still uses another token for realm {realm.label}"
    return f"Zulip answers {status} for realm {realm.label}, though its settings are right"

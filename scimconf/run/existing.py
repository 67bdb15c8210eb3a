"""Describe the present state of a server in inventory variables, so that `plan` finds no change.

Only for this purpose, a server sends tokens in clear. They become Secrets when they arrive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from scimconf.errors import Busy, HostError
from scimconf.fleet.observe import Agent, final, observe, paths
from scimconf.inventory import rules
from scimconf.inventory.host_vars import may_be_template
from scimconf.inventory.schema import RealmVariables
from scimconf.model import Desired, Observed, ObservedRealm, Server
from scimconf.plan.commands import for_realm
from scimconf.sanitize import one_line
from scimconf.secret import Secret
from scimconf.server_warning import ServerWarning
from scimconf.tokens.strength import weakness_of
from scimconf.zulip.bearer import secret_name
from scimconf.zulip.keys import KEYS, OPTIONAL, REQUIRED
from scimconf.zulip.presets import PRESETS

Variables = dict[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """The variables that describe a host, and its tokens by realm."""

    variables: Mapping[str, object]
    tokens: Mapping[str, Secret] = field(repr=False)
    warnings: tuple[ServerWarning, ...]

    def only(self, realms: Collection[str]) -> Found:
        """Return the variables and tokens of these realms; of all realms if `realms` is empty."""
        if not realms:
            return self
        tokens = {name: token for name, token in self.tokens.items() if name in realms}
        described = self.variables.get("scim_realms")
        if not isinstance(described, dict):
            return replace(self, tokens=tokens)
        kept = {name: each for name, each in described.items() if name in realms}
        return replace(self, tokens=tokens, variables={**self.variables, "scim_realms": kept})


class _LeftOutError(Exception):
    """A realm cannot be imported. str() is the reason."""


def look(agent: Agent, server: Server) -> tuple[Observed, Found]:
    """Return the variables and tokens of a server. Raises HostError if it has nothing to import."""
    observed = _observed(agent, server)
    found = describe(server, observed, _tokens(agent, server)[0])
    if not found.tokens:
        said = _joined(found.warnings) or "SCIM_CONFIG is missing or empty"
        raise HostError("import", f"there is nothing to import: {said}")
    return observed, found


def adopt(agent: Agent, server: Server) -> tuple[Observed, Found]:
    """Return the server's tokens of the realms that the inventory names.

    A token is left out if scimconf has set the realm's token before and somebody else has changed
    it since: that person knows it. Raises HostError if no token remains.
    """
    observed = _observed(agent, server)
    tokens, ours = _tokens(agent, server)
    warnings: list[ServerWarning] = []
    adopted = {}
    for realm in server.realms:
        token = tokens.get(realm.string_id)
        if token is None:
            text = f"realm {realm.label}: the server has no token for it"
            warnings.append(ServerWarning("not-imported", text))
            continue
        if not ours.get(realm.string_id, True):
            text = (
                f"realm {realm.label} is left out: its token was changed by somebody else. Do not "
                "trust that token; replace it: "
                f"{for_realm('apply --create-tokens', server, realm.string_id)}"
            )
            warnings.append(ServerWarning("not-imported", text))
            continue
        adopted[realm.string_id] = token
        if reason := weakness_of(token):
            warnings.append(_weak(server, realm.string_id, reason))
    if not adopted:
        raise HostError("import", f"there is nothing to import: {_joined(warnings)}")
    return observed, Found({}, adopted, tuple(warnings))


def _observed(agent: Agent, server: Server) -> Observed:
    """Observe a server. Raises HostError if it is blocked, Busy if another run is changing it."""
    observed = observe(agent, Desired(server, {}))
    if observed.at_work:
        message = f"another run is at work on this server: {observed.at_work}"
        raise Busy("observe", message, "wait until it has ended, then import the server")
    if observed.blocked:
        raise HostError("observe", observed.blocked)
    return observed


def _tokens(agent: Agent, server: Server) -> tuple[dict[str, Secret], dict[str, bool]]:
    """Return the tokens by realm, and by realm whether scimconf has set the token.

    Realms that scimconf never changed are missing in the second mapping. Raises HostError.
    """
    answer = final(agent.ask({"do": "tokens", "paths": paths(server.paths)}), "import")
    tokens, ours = answer.get("tokens"), answer.get("applied", {})
    if (
        not isinstance(tokens, dict)
        or not isinstance(ours, dict)
        or not all(isinstance(each, str) for each in tokens.values())
    ):
        raise HostError(
            "import",
            "the server sent an invalid response; it was ignored",
            "check this server by hand: the response did not come from scimconf's agent",
        )
    # Anything but `true` means that somebody else put it there.
    return (
        {realm: Secret(text) for realm, text in tokens.items()},
        {str(realm): each is True for realm, each in ours.items()},
    )


def describe(server: Server, observed: Observed, tokens: Mapping[str, Secret]) -> Found:
    """Return variables for the server's entries; warn about entries that variables cannot express.

    Raises HostError for an EXTERNAL_HOST that is not a host name.
    """
    in_secrets = any(found.secret_name for found in observed.realms.values())
    realms: dict[str, Variables] = {}
    unknown = observed.unknown_secrets
    warnings = [ServerWarning("secrets-unreadable", unknown)] if unknown else []
    for name, found in observed.realms.items():
        try:
            _check(found, tokens, in_secrets)
            realms[name] = _realm(found, observed)
        except _LeftOutError as reason:
            text = f"realm {found.label} is left out, and stays unchanged: {reason}"
            warnings.append(ServerWarning("not-imported", text))
            continue
        warnings += _remarks(server, found, tokens[name])
    variables: Variables = {}
    if observed.external_host and observed.external_host.lower() != server.external_host.lower():
        try:
            variables["zulip_external_host"] = rules.external_host(observed.external_host)
        except rules.Invalid as error:
            raise HostError("import", f"EXTERNAL_HOST: {error.message}") from None
    variables["scim_token_store"] = "secrets" if in_secrets else "settings"
    variables["scim_realms"] = realms
    return Found(variables, {name: tokens[name] for name in realms}, tuple(warnings))


def _check(found: ObservedRealm, tokens: Mapping[str, Secret], in_secrets: bool) -> None:
    """Raise _LeftOutError for an entry that a plan would have to change."""
    if found.unreadable:
        raise _LeftOutError(found.unreadable)
    if found.string_id not in tokens:
        raise _LeftOutError("it has no token")
    try:
        rules.string_id(found.string_id)
        if "scim_client_name" in found.values:
            rules.client(str(found.values["scim_client_name"]))
    except rules.Invalid as error:
        raise _LeftOutError(error.message) from None
    wanted = secret_name(found.string_id) if in_secrets else None
    if found.secret_name != wanted:
        where = found.secret_name or "settings.py"
        raise _LeftOutError(
            f"its token is in {where}, not in {wanted}; add the realm to the inventory by hand, "
            "then apply moves the token"
        )


def _realm(found: ObservedRealm, observed: Observed) -> Variables:
    """Return the variables of one entry, without values that are its preset's defaults."""
    client = found.values.get("scim_client_name")
    preset = PRESETS.get(str(client), PRESETS["other"])
    variables: Variables = {"idp": preset.name}
    if isinstance(client, str) and client != preset.client:
        variables["client"] = client
    formatted = found.values.get("name_formatted_included")
    if isinstance(formatted, bool) and formatted is not preset.name_formatted_included:
        variables["name_formatted_included"] = formatted
    for key in OPTIONAL:
        if key.name in found.values:
            variables[key.variable] = _no_template(key.name, found.values[key.name])
    if found.string_id in observed.realm_hosts:
        variables["url"] = f"https://{observed.realm_hosts[found.string_id]}"
    try:
        RealmVariables.model_validate(variables)
    except ValueError:  # pydantic's message is about variables that the user has not written
        raise _LeftOutError("it has a value that the inventory cannot express") from None
    return variables


def _no_template(key: str, value: object) -> object:
    """Return a value; raise _LeftOutError if a key inside it could be a template."""
    for name in value if isinstance(value, dict) else ():
        if may_be_template(str(name)):
            raise _LeftOutError(
                f"a key of its {key} could be a template, which Ansible would run: "
                f"{one_line(str(name), 80)}"
            )
    return value


def _joined(warnings: Iterable[ServerWarning]) -> str:
    return "; ".join(each.text for each in warnings)


def _weak(server: Server, realm: str, reason: str) -> ServerWarning:
    text = (
        f"realm {realm or '(root)'}: its token is weak ({reason}), and its fingerprint in the "
        f"token file helps to guess it; replace the token: {for_realm('rotate', server, realm)}"
    )
    return ServerWarning("weak-token", text)


def _remarks(server: Server, found: ObservedRealm, token: Secret) -> Iterator[ServerWarning]:
    if reason := weakness_of(token):
        yield _weak(server, found.string_id, reason)
    if missing := [key.name for key in REQUIRED if key.name not in found.values]:
        text = f"realm {found.label}: it lacks {' and '.join(missing)}, which apply will add"
        yield ServerWarning("not-imported", text)
    known = {key.name for key in KEYS}
    if extra := [name for name in found.values if name not in known]:
        names = ", ".join(extra)
        text = f"realm {found.label}: Zulip does not use its {names}, which apply will remove"
        yield ServerWarning("not-imported", text)

"""`import`: write the present state of servers into an inventory and the token file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from scimconf.errors import InventoryError, UsageError
from scimconf.fleet.observe import Agent
from scimconf.inventory import host_vars
from scimconf.model import Desired, Observed, Outcome, RunWords, Server, Status
from scimconf.plan.commands import as_typed
from scimconf.run import existing
from scimconf.run.connect import connect
from scimconf.run.existing import Found
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.person import Person
from scimconf.run.result import Result, described
from scimconf.run.start import load, sources, start
from scimconf.secret import Secret
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.store import Key


def import_servers(
    source: SourceOptions,
    pattern: Sequence[str],
    realms: tuple[str, ...],
    connection: ConnectionOptions,
    person: Person,
    writes: Sequence[Path] = (),
) -> Result:
    """Write the variables and tokens of servers into host_vars and the token file, then plan.

    The steps: select servers, observe, write the tokens, write the variables, observe again with
    them. Raises UsageError.
    """
    begun = start(source, pattern, person, connection, writes=writes, bare=True)
    keyring = begun.keyring()
    shown = as_typed("plan", pattern, source.limit, realms, begun.words)
    servers = _to_import(begun.servers, keyring, realms, person, shown)
    begun.passwords()  # before any server is asked for its tokens
    found: dict[str, Found] = {}

    def look(agent: Agent, desired: Desired) -> tuple[Outcome, Observed]:
        server = desired.server
        take = existing.adopt if server.realms else existing.look
        observed, taken = take(agent, server)
        found[server.name] = taken.only(realms)
        return Outcome(server.name, Status.OK), observed

    with (
        connect(begun, connection, servers, person) as fleet,
        person.progress(steps=False) as watcher,
    ):
        looked = fleet.look([Desired(each, {}) for each in servers], watcher, look=look)
        good = [each for each in servers if each.name in found]
        new = [each for each in good if not each.realms]
        texts = {each.name: _text(source, each, found[each.name]) for each in new}
        keyring.adopt(_tokens(good, found))
        try:
            with host_vars.written(dict(texts.values())):
                again = load(source, person, connection, begun.passwords, quiet=True)
                again.check([each.name for each in good])
        except InventoryError:
            person.tell("host_vars is unchanged: the imported variables would cause these errors")
            raise
        desired = [keyring.desired(again.servers[each.name]) for each in good]
        planned = {each.server.name: each for each in fleet.look(desired, watcher)}
    outcomes = [
        _outcome(
            planned[name].outcome,
            found[name],
            texts[name][0] if name in texts else keyring.file.path,
        )
        if (name := each.server.name) in planned
        else each.outcome
        for each in looked
    ]
    latest = [planned.get(each.server.name, each) for each in looked]
    result = Result("import", described(latest, outcomes), fleet.interrupted)
    return replace(result, next=_next(result.outcomes, pattern, source.limit, realms, begun.words))


def _next(
    outcomes: Sequence[Outcome],
    pattern: Sequence[str],
    limit: Sequence[str],
    realms: Sequence[str],
    words: RunWords,
) -> tuple[str, ...]:
    """Return the next step: apply what is pending, else prove that the imported tokens work."""
    if any(each.status not in (Status.OK, Status.PENDING) for each in outcomes):
        return ()
    verb = "apply" if any(each.plan and each.plan.pending for each in outcomes) else "verify"
    return (f"next: {as_typed(verb, pattern, limit, realms, words)}",)


def _to_import(
    servers: Sequence[Server],
    keyring: Keyring,
    realms: tuple[str, ...],
    person: Person,
    shown: str,
) -> list[Server]:
    """Return the servers without realms, and those with realms that have no token in the file.

    The latter have only these realms. Raises UsageError if there is no server to import;
    its hint is `shown`, a plan of the servers.
    """
    chosen = []
    for each in servers:
        known = keyring.desired(each).fingerprints
        missing = tuple(
            realm
            for realm in each.realms
            if realm.present
            and realm.token is None
            and (not realms or realm.string_id in realms)
            and realm.string_id not in known
        )
        if missing or not each.realms:
            chosen.append(replace(each, realms=missing))
        else:
            person.tell(
                f"{each.name} is left unchanged: it has scim_realms, and the token file has their "
                "tokens"
            )
    if not chosen:
        raise UsageError(
            "no server to import: all have scim_realms, and the token file has their tokens",
            f"to see the state of the servers: {shown}",
        )
    return chosen


def _text(source: SourceOptions, server: Server, found: Found) -> tuple[Path, str]:
    """Return the file of host_vars for the server's variables, and its text.

    Raises UsageError for a server that no inventory file names.
    """
    file = Path(server.position.file if server.position else "-")
    near = [each for each in sources(source) if file == each or each in file.parents]
    if not near:
        raise UsageError(
            f"{server.name} is defined in {file}, and host_vars cannot be written beside it",
            "add the server to an inventory file, and name that file with -i",
        )
    path = host_vars.place(near[-1], server.name)
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    comment = f"As scimconf import found it on {today}."
    return path, host_vars.added(path, found.variables, comment)


def _tokens(servers: Sequence[Server], found: Mapping[str, Found]) -> dict[Key, Secret]:
    """Return the tokens by deployment and realm. Raises UsageError if servers disagree."""
    tokens: dict[Key, Secret] = {}
    for server in servers:
        for realm, token in found[server.name].tokens.items():
            if tokens.setdefault((server.deployment, realm), token) != token:
                raise UsageError(
                    f"{server.name} and another server of deployment {server.deployment} have "
                    f"different tokens for realm {realm or '(root)'}",
                    "servers of a deployment share tokens: find out which of the tokens the "
                    "identity provider has, and set it on each server",
                )
    return tokens


def _outcome(planned: Outcome, found: Found, path: Path) -> Outcome:
    realms = ", ".join(realm or "(root)" for realm in found.tokens)
    message = f"realm {realms} -> {path}"
    if planned.message:
        message += f"; {planned.message}"
    return replace(planned, message=message, warnings=(*found.warnings, *planned.warnings))

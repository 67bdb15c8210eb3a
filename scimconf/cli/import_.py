"""`scimconf import`: take servers as they are into an inventory and the token file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from scimconf.cli import options
from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions, VaultOptions
from scimconf.cli.streams import err
from scimconf.errors import InventoryError, UsageError
from scimconf.model import Desired, Observed, Outcome, Server, Status

if TYPE_CHECKING:
    from scimconf.importing import Found
    from scimconf.observe import Agent
    from scimconf.secret import Secret
    from scimconf.tokens.keyring import Keyring
    from scimconf.tokens.store import Key


@options.verb("import")
@options.pattern
@options.source
@options.realm
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Import the existing SCIM configuration of servers.

    Changes nothing on the servers. For a host without scim_realms, writes its realms to host_vars
    beside the inventory and its tokens, encrypted, to the token file. For a host with scim_realms,
    imports only the tokens that the token file lacks.

    Then shows what apply would change, and exits as plan does.
    """
    from scimconf import importing
    from scimconf.cli import fleet
    from scimconf.cli.output import progress, results
    from scimconf.inventory import host_vars
    from scimconf.rollout import Rollout

    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet, writes=output.files, bare=True)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    servers = _to_import(fleet.select(inventory, pattern, source.limit), keyring, realms)
    passwords()  # before any server is asked for its tokens
    open_agent = fleet.opener(source, connection, passwords, servers)
    found: dict[str, Found] = {}

    def look(agent: Agent, desired: Desired) -> tuple[Outcome, Observed]:
        server = desired.server
        take = importing.adopt if server.realms else importing.look
        observed, taken = take(agent, server)
        found[server.name] = taken.only(realms)
        return Outcome(server.name, Status.OK), observed

    with progress(output, steps=False) as watcher:
        run = Rollout(connection.forks, watcher, connection.retries)
        looked = run.survey(
            [Desired(each, {}) for each in servers], open_agent, keep=False, look=look
        )
        good = [each for each in servers if each.name in found]
        new = [each for each in good if not each.realms]
        texts = {each.name: _text(source, each, found[each.name]) for each in new}
        keyring.adopt(_tokens(good, found))
        try:
            with host_vars.written(dict(texts.values())):
                again = fleet.load(source, connection, quiet=True)
        except InventoryError:
            err("with what was found, the inventory would be wrong; host_vars are as they were")
            raise
        desired = [keyring.desired(again.servers[each.name]) for each in good]
        planned = {
            each.outcome.server: each for each in run.survey(desired, open_agent, keep=False)
        }
    outcomes = [
        _outcome(
            planned[name].outcome,
            found[name],
            texts[name][0] if name in texts else keyring.file.path,
        )
        if (name := each.outcome.server) in planned
        else each.outcome
        for each in looked
    ]
    return results("import", run, outcomes, output)


def _to_import(
    servers: Sequence[Server], keyring: Keyring, realms: tuple[str, ...]
) -> list[Server]:
    """Return the servers to import: those without realms, and those whose tokens are not in the
    token file, with these realms alone. Raises UsageError where there is none.
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
            err(f"{each.name} has scim_realms, and the token file has their tokens: left as it is")
    if not chosen:
        raise UsageError(
            "no server to import: all of them have scim_realms, and the token file has the tokens",
            "scimconf plan shows how they stand",
        )
    return chosen


def _text(source: SourceOptions, server: Server, found: Found) -> tuple[Path, str]:
    """Give the file of host_vars that the server's variables go into, and its text."""
    from scimconf.cli import fleet
    from scimconf.inventory import host_vars

    file = Path(server.position.file if server.position else "-")
    near = [each for each in fleet.sources(source) if file == each or each in file.parents]
    if not near:
        raise UsageError(
            f"{server.name} comes from {file}, and nothing can be written beside that",
            "import with an inventory file that names it",
        )
    path = host_vars.place(near[-1], server.name)
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    comment = f"As scimconf import found it on {today}."
    return path, host_vars.added(path, found.variables, comment)


def _tokens(servers: Sequence[Server], found: Mapping[str, Found]) -> dict[Key, Secret]:
    """Give the tokens by deployment and realm; servers of one deployment have to agree."""
    tokens: dict[Key, Secret] = {}
    for server in servers:
        for realm, token in found[server.name].tokens.items():
            if tokens.setdefault((server.deployment, realm), token) != token:
                raise UsageError(
                    f"{server.name} has another token for realm {realm or '(root)'} than another "
                    f"server of {server.deployment}",
                    "servers of one Zulip share tokens: which of them is right?",
                )
    return tokens


def _outcome(planned: Outcome, found: Found, path: Path) -> Outcome:
    realms = ", ".join(realm or "(root)" for realm in found.tokens)
    message = f"realm {realms} -> {path}"
    if planned.message:
        message += f"; {planned.message}"
    return replace(planned, message=message, warnings=(*found.warnings, *planned.warnings))

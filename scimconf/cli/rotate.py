"""`scimconf rotate`: new tokens, in the transaction that `apply` makes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from scimconf.cli import options
from scimconf.cli.options import (
    ConnectionOptions,
    OutputOptions,
    RolloutOptions,
    SourceOptions,
    VaultOptions,
)
from scimconf.cli.streams import err
from scimconf.errors import UsageError
from scimconf.model import Outcome, Server, Status

if TYPE_CHECKING:
    from scimconf.inventory import Inventory
    from scimconf.tokens.keyring import Keyring
    from scimconf.tokens.store import Entry, Key

Mode = Literal["at once", "stage", "activate", "back"]


def _age(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([dw])", value, re.ASCII)
    if not found:
        raise click.BadParameter(f"{value!r} is no age, such as 90d or 12w", context, parameter)
    return timedelta(days=int(found[1]) * (7 if found[2] == "w" else 1))


@click.command("rotate")
@options.pattern
@options.source
@options.option(
    "--realm", "realms", variable="REALM", multiple=True, help='Only these realms; "" is the root.'
)
@options.option(
    "--older-than",
    variable="OLDER_THAN",
    callback=_age,
    metavar="AGE",
    help="Only tokens that were made longer ago: 90d, 12w.",
)
@click.option(
    "--stage", "mode", flag_value="stage", help="Make the next token; touch no server yet."
)
@click.option("--activate", "mode", flag_value="activate", help="Put staged tokens in force.")
@click.option(
    "--back", "mode", flag_value="back", help="Put the previous tokens in force again (7 days)."
)
@options.option("--diff", variable="DIFF", is_flag=True, help="Show the change, masked.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the first change.")
@options.lock_timeout
@options.rollout
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    older_than: timedelta | None,
    mode: Mode | None,
    diff: bool,
    yes: bool,
    lock_timeout: int,
    rollout: RolloutOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Give the realms of PATTERN's hosts (all if there is none) new tokens.

    At once: the server takes the new token, proves it, and from then on turns the old one away,
    until the new one is entered at the identity provider. Or in two steps: --stage makes the next
    token, which can be handed over in advance, and --activate cuts over. --back returns to the
    token before.
    """
    from scimconf import batches
    from scimconf.cli import fleet, question
    from scimconf.cli.change import How, change, settled
    from scimconf.cli.output import results
    from scimconf.tokens.rotation import activated, gone_back

    if not yes and mode != "stage":
        question.may_ask("rotate")
    strategy = batches.strategy(rollout.serial, rollout.canary, rollout.max_fail)
    fleet.start_log(output)
    inventory = fleet.load(source, connection, quiet=output.quiet)
    chosen = fleet.select(inventory, pattern, source.limit)
    passwords = fleet.VaultPassword(vault)
    keyring = fleet.keyring(source, passwords)
    wanted = _Wanted(mode or "at once", realms, older_than)
    servers = wanted.narrowed(chosen, keyring)
    if not servers:
        _nothing(wanted)
        return _no_server(output)
    _whole(servers, inventory)
    keys = sorted({key for server in servers for key in _keys(server)})
    if realms:
        _tell_who_shares(keyring, keys)
    if wanted.mode == "stage":
        keyring.keep(keyring.staged(keys), keys)
        err(f"made the next token of {_listed(keys)}; the one in force stays in force")
        err("next: scimconf handoff --next, and in the window: scimconf rotate --activate")
        return _no_server(output)
    staged = keyring.staged(keys) if wanted.mode == "at once" else keyring
    turned = staged.turned(keys, gone_back if wanted.mode == "back" else activated)
    run, outcomes = change(
        batches.ordered(servers, rollout.order, lambda server: server.name),
        turned,
        fleet.opener(source, connection, passwords, servers),
        How(
            *(connection, output, strategy, lock_timeout),
            yes=yes,
            diff=diff,
            at_go=partial(keyring.keep, staged, keys),
        ),
    )
    done = {key for server in settled(servers, outcomes) for key in _keys(server)}
    keyring.keep(turned, done)
    left = [key for key in keys if key not in done]
    if left:
        err(f"the token that was in force stays in force: {_listed(left)}")
    return results("rotate", run, [_told(each) for each in outcomes], output, diff=diff)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which tokens are meant."""

    mode: Mode
    realms: tuple[str, ...]
    older_than: timedelta | None

    def narrowed(self, servers: Sequence[Server], keyring: Keyring) -> list[Server]:
        """Give the servers with the realms that are meant, and no others: nothing else changes.

        Raises UsageError for a realm that none of them has.
        """
        known = {realm.string_id for server in servers for realm in server.realms if realm.present}
        if unknown := set(self.realms) - known:
            names = ", ".join(sorted(each or "(root)" for each in unknown))
            raise UsageError(f"none of these servers has a realm {names}")
        narrowed = []
        for server in servers:
            meant = tuple(
                realm
                for realm in server.realms
                if realm.present and (not self.realms or realm.string_id in self.realms)
            )
            for realm in meant:
                if realm.token is not None:
                    err(f"left out: realm {realm.label} of {server.name} has its token elsewhere")
            ours = tuple(
                realm
                for realm in meant
                if realm.token is None
                and self._means(keyring.file.entry(server.deployment, realm.string_id))
            )
            if ours:
                narrowed.append(replace(server, realms=ours, purge=False))
        return narrowed

    def _means(self, entry: Entry | None) -> bool:
        from scimconf.tokens.rotation import older_than, pruned

        now = datetime.now(timezone.utc)
        if entry is None or entry.ciphertext is None:
            return False
        if self.older_than is not None and not older_than(entry, self.older_than, now):
            return False
        if self.mode == "activate":
            return entry.next is not None
        if self.mode == "back":
            return pruned(entry, now).previous is not None
        return True


def _nothing(wanted: _Wanted) -> None:
    """Say that there is nothing to do: all right where an age was asked about, else a mistake."""
    what = {
        "activate": ("no token is staged there", "make one first: scimconf rotate --stage"),
        "back": (
            "no previous token is kept there",
            "it is kept for 7 days after a rotation; make a new one: scimconf rotate",
        ),
    }
    message, hint = what.get(
        wanted.mode, ("the token file holds no such token", "scimconf apply makes the first one")
    )
    if wanted.older_than is None:
        raise UsageError(message, hint)
    err(f"nothing to rotate: {message}, or none is older than {wanted.older_than.days} days")


def _no_server(output: OutputOptions) -> int:
    """Give the result of a run that has touched no server, for whoever reads results."""
    from scimconf.cli.output import results
    from scimconf.report.progress import NoProgress
    from scimconf.rollout import Rollout

    return results("rotate", Rollout(1, NoProgress()), [], output)


def _keys(server: Server) -> Iterator[Key]:
    return ((server.deployment, realm.string_id) for realm in server.realms)


def _whole(servers: Sequence[Server], inventory: Inventory) -> None:
    """Raise UsageError where part of a deployment would be left with the old token."""
    chosen = {server.name for server in servers}
    deployments = {server.deployment for server in servers}
    for server in inventory.servers.values():
        if server.deployment in deployments and server.name not in chosen:
            raise UsageError(
                f"{server.name} belongs to deployment {server.deployment} too, and would keep the "
                "old token",
                "name it as well: the servers of a deployment are rotated together",
            )


def _tell_who_shares(keyring: Keyring, keys: Iterable[Key]) -> None:
    """Name everybody else who has one of these tokens: a leaked one leaked for them, too."""
    for key, others in keyring.sharing(keys).items():
        if others:
            err(f"warning: the token of {_listed([key])} is also that of {_listed(others)}")


def _listed(keys: Iterable[Key]) -> str:
    return ", ".join(f"realm {realm or '(root)'} of {deployment}" for deployment, realm in keys)


def _told(outcome: Outcome) -> Outcome:
    """Say how long nobody was let in: from the restart on the old token fails, and until the gate
    has seen the new one let in it may fail as well.
    """
    if outcome.status is not Status.CHANGED:
        return outcome
    seconds = sum(step.seconds for step in outcome.steps if step.name in ("restart", "gate"))
    message = (
        f"nobody was let in for {seconds:.1f} s at most (restart and gate); from now on only the "
        "token that has come into force is"
    )
    said = f"{message}; {outcome.message}" if outcome.message else message
    hint = f"enter it at the identity provider: scimconf handoff --show-tokens {outcome.server}"
    return replace(outcome, message=said, hint=outcome.hint or hint)

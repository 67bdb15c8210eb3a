"""Load what every verb with an inventory needs: inventory, servers, tokens."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from scimconf import files, startup
from scimconf import inventory as inventories
from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import Inventory, discovery, rules
from scimconf.inventory.rules import Invalid
from scimconf.model import RunWords, Scope, Server
from scimconf.plan.commands import command
from scimconf.run import hint_words
from scimconf.run.options import NO_HOSTS, ConnectionOptions, DeliveryOptions, SourceOptions
from scimconf.run.own_password import NAME, OwnPassword
from scimconf.run.person import Person
from scimconf.tokens.keyring import Keyring, Passwords
from scimconf.tokens.references import withhold, withhold_names
from scimconf.tokens.store import TokenFile, place

_PATTERN = re.compile(r"^[!~@]|[*?:\[]")
"""What is no plain name in a host pattern."""
_OF_IDPS = "SCIMCONF_IDP_"
"""The start of the variables with credentials. No program of the inventory inherits them."""
_MANY = 1000
"""The hosts of an inventory that leaves so much memory to free that this is worth its time."""
_MOST_LEFT_OUT = 8
"""The most hosts that a hint leaves out."""


@dataclass(frozen=True, slots=True)
class Start:
    """The inventory and the servers of a run."""

    source: SourceOptions
    inventory: Inventory
    servers: Sequence[Server]
    """The selected servers, in the order of the inventory. Empty only for an empty shard."""
    passwords: Passwords
    """Gets the vault passwords when they are needed."""
    selected: Sequence[Server] = ()
    """The servers of all shards."""

    @property
    def words(self) -> RunWords:
        """The options of the run, for hints."""
        return self.servers[0].words if self.servers else RunWords()

    @property
    def realms(self) -> frozenset[str]:
        """The realms of the servers of all shards."""
        return frozenset(realm.string_id for each in self.selected for realm in each.realms)

    def scope(self, realms: Iterable[str]) -> Scope:
        """Return the scope of the run. `realms`: those of --realm."""
        fleet = sorted(
            (each.name, sorted(r.string_id for r in each.realms)) for each in self.selected
        )
        digest = hashlib.sha256(json.dumps(fleet).encode())
        return Scope(digest.hexdigest()[:32], tuple(sorted({*realms})))

    def keyring(self) -> Keyring:
        """Return the tokens of the fleet. Raises UsageError for an invalid token file."""
        return Keyring(token_file(self.source), self.passwords, places=self.inventory.places)


def start(
    source: SourceOptions,
    pattern: Sequence[str],
    person: Person,
    connection: ConnectionOptions | None = None,
    *,
    writes: Iterable[Path] = (),
    bare: bool = False,
    encrypts: bool = True,
    changes: bool = True,
    delivery: DeliveryOptions = NO_HOSTS,
) -> Start:
    """Load the inventory and select the servers of `pattern` and --limit. Contacts no server.

    `writes`: files that this run will write. `bare`: hosts without scim_realms are servers, too.
    `encrypts`: whether new values may be encrypted. `changes`: whether the run may change servers
    or files; it then needs all variables of the selected hosts. `delivery`: hints repeat it. A run
    with a `connection` needs the variables for the connection.

    Raises UsageError (InventoryError with all errors of the selected hosts).
    """
    given = passwords(source, person, encrypts=encrypts)
    loaded = load(
        *(source, person, connection, given),
        writes=writes,
        bare=bare,
        of_hosts=False,
        delivery=delivery,
    )
    names = inventories.selected(loaded, pattern, source.limit)
    if changes:
        _check_open(loaded, names)
    closed = {each for name in names for each in loaded.closed.get(name, ())}
    for warning in loaded.warnings_of(names):
        # Without these variables, a host may not even be known as a server: -q does not hide that.
        person.tell(warning.text("warning")) if warning in closed else person.warn(warning)
    try:
        loaded.check(names, connects=connection is not None)
    except InventoryError as error:
        raise InventoryError(error.problems, _leave_out(loaded, names)) from None
    servers = select(loaded, pattern, source)
    mine = source.shard.share(servers) if source.shard else servers
    return Start(source, loaded, mine, given, servers)


def passwords(source: SourceOptions, person: Person, *, encrypts: bool) -> Passwords:
    """Return a function that gets the vault passwords of a run when they are needed."""

    def tokens() -> TokenFile:
        return token_file(source)

    try:
        own = OwnPassword(sources(source)[0].parent / NAME, tokens)
    except UsageError:  # the verbs for a token file need no inventory
        own = None
    return person.vault_passwords((lambda: tokens().vault_ids) if encrypts else None, own)


def _check_open(inventory: Inventory, names: Iterable[str]) -> None:
    """Raise InventoryError if variables of these hosts are in files that could not be read."""
    closed = dict.fromkeys(each for name in names for each in inventory.closed.get(name, ()))
    if closed:
        others = (each for each in inventory.errors_of(names) if not each.follows)
        raise InventoryError(list(closed | dict.fromkeys(others)))


def sources(source: SourceOptions) -> tuple[Path, ...]:
    """Return the inventory's files: those of -i, else what `discovery.find` finds."""
    return source.inventory or discovery.find().sources


def load(
    source: SourceOptions,
    person: Person,
    connection: ConnectionOptions | None = None,
    passwords: Passwords | None = None,
    *,
    writes: Iterable[Path] = (),
    bare: bool = False,
    quiet: bool = False,
    of_hosts: bool = True,
    delivery: DeliveryOptions = NO_HOSTS,
) -> Inventory:
    """Load the inventory, and print its warnings unless `quiet`; `of_hosts`: those in its files.

    The errors of single hosts are in the result (`Inventory.check`). Raises InventoryError with all
    errors if a file cannot be read, UsageError for misspelt variables.
    """
    if not source.inventory:
        _found(person, quiet=quiet)
    _check_written(source, tuple(writes))

    @cache
    def tokens() -> TokenFile:
        return token_file(source)

    withhold_names([name for name in os.environ if name.startswith(_OF_IDPS)])
    loaded = inventories.read(
        sources(source),
        _defaults(connection),
        allow_exec="inventory" in source.allow_exec,
        bare=bare,
        passwords=passwords,
        refuse=lambda value: tokens().refuse(value),
        extra=source.extra_vars,
    )
    if len(loaded.hosts) >= _MANY:
        startup.collect_now()
    words = hint_words.words(source, person.password_options, connection, delivery)
    loaded = replace(
        loaded, servers={name: replace(each, words=words) for name, each in loaded.servers.items()}
    )
    withhold(loaded.servers.values())
    withhold_names(loaded.env_names)
    person.check_variables()
    for warning in loaded.warnings if of_hosts and not quiet else ():
        person.warn(warning)
    return loaded


def _found(person: Person, *, quiet: bool) -> None:
    """Print which inventory is used, if it is not the one of the current folder."""
    try:
        found = discovery.find()
    except UsageError:
        person.check_variables()  # SCIMCONF_INVENTORY may be misspelt
        raise
    if found.warning and not quiet:
        person.warn(found.warning)
    if found.elsewhere and not quiet:
        names = ", ".join(map(str, found.sources))
        person.tell(f"using the inventory {names}, which {found.elsewhere} names")


def _check_written(source: SourceOptions, writes: Sequence[Path]) -> None:
    """Raise UsageError if a file to write is read by this run, or is a link or a pipe."""
    if not writes:
        return
    tokens = place(source.tokens, sources(source))
    reads = [each.resolve() for each in (*sources(source), tokens)]
    for file in writes:
        for each in reads:
            if file.resolve().is_relative_to(each):
                raise UsageError(
                    f"{file} is not written: this run reads {each}",
                    "choose another file name",
                )
        files.check_output(file)


def _defaults(connection: ConnectionOptions | None) -> Mapping[str, object]:
    """Return the connection options of the command line, under the names of Ansible's variables.

    The inventory's variables override them (Ansible's manual, "Controlling how Ansible behaves:
    precedence rules"). Raises UsageError for a name that is no user name.
    """
    if connection is None:
        return {}
    for option, name, check in (
        ("-u", connection.user, rules.login),
        ("--become-user", connection.become_user, rules.user),
    ):
        try:
            if name is not None:
                check(name)
        except Invalid as error:
            raise UsageError(f"{option} {name!r}: {error.message}", error.hint) from None
    given: dict[str, object] = {
        "ansible_user": connection.user,
        "ansible_become": connection.become or None,
        "ansible_become_user": connection.become_user,
        "ansible_ssh_private_key_file": connection.private_key and str(connection.private_key),
    }
    return {name: value for name, value in given.items() if value is not None}


def select(inventory: Inventory, pattern: Sequence[str], source: SourceOptions) -> Sequence[Server]:
    """Return the servers that match the pattern and --limit. Raises UsageError if none does."""
    try:
        servers = inventories.select(inventory, pattern, source.limit)
    except InventoryError as error:
        names = inventories.selected(inventory, pattern, source.limit)
        raise InventoryError(error.problems, _leave_out(inventory, names)) from None
    if not servers:
        words = hint_words.words(source, (), None)
        add = "" if inventory.servers else "to add them: scimconf init --host HOST_OR_GROUP; "
        raise UsageError(
            "no server to work on: none of the selected hosts has scim_realms",
            f"{add}to see the inventory: {command('inventory list', (), (), words)}",
        )
    return servers


def _leave_out(inventory: Inventory, names: Sequence[str]) -> str:
    """Return a hint how to go on without the hosts that have errors; "" if no server remains."""
    wrong = [name for name in names if inventory.unknown_of([name]) or name in inventory.problems]
    rest = [name for name in names if name in inventory.servers and name not in wrong]
    if not rest or len(wrong) > _MOST_LEFT_OUT or any(_PATTERN.search(name) for name in wrong):
        return ""
    add = shlex.join(["--limit", ",".join(f"!{name}" for name in wrong)])
    return f"to go on without {'this host' if len(wrong) == 1 else 'these hosts'}, add {add}"


def token_file(source: SourceOptions) -> TokenFile:
    """Read the token file: --tokens, else tokens.yaml beside the first inventory file."""
    return TokenFile.load(place(source.tokens, sources(source)))

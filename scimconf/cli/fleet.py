"""From the options to the servers: what every verb that reads an inventory needs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scimconf.cli.options import ConnectionOptions, OutputOptions, SourceOptions
from scimconf.cli.streams import err
from scimconf.cli.vault_password import VaultPassword, ask
from scimconf.errors import UsageError
from scimconf.model import Server, VaultValue
from scimconf.secret import Secret

if TYPE_CHECKING:
    from scimconf.inventory import Inventory
    from scimconf.ssh import Agent
    from scimconf.survey import Opener
    from scimconf.tokens.keyring import Keyring, Passwords
    from scimconf.tokens.store import TokenFile

__all__ = [
    "VaultPassword",
    "keyring",
    "load",
    "opener",
    "select",
    "sources",
    "start_log",
    "token_file",
]

_DEFAULT = Path("inventory.yaml")


def sources(source: SourceOptions) -> tuple[Path, ...]:
    """Give the inventory's files: those of `-i`, else inventory.yaml of this folder."""
    if source.inventory:
        return source.inventory
    if _DEFAULT.exists():
        return (_DEFAULT,)
    raise UsageError(
        "no inventory: there is no inventory.yaml here",
        "give one with -i, or start with: scimconf init",
    )


def load(
    source: SourceOptions,
    connection: ConnectionOptions | None = None,
    *,
    quiet: bool = False,
    writes: Iterable[Path] = (),
    bare: bool = False,
) -> Inventory:
    """Load the inventory and print its warnings on stderr. Raises InventoryError.

    `writes`: files that this run is going to write; UsageError for one that it reads. `bare`: hosts
    without scim_realms are servers, too.
    """
    _spare(source, writes)
    from scimconf import inventory
    from scimconf.tokens.references import withhold

    loaded = inventory.load(
        sources(source),
        _defaults(connection),
        allow_exec="inventory" in source.allow_exec,
        bare=bare,
    )
    withhold(loaded.servers.values())
    if not quiet:
        for warning in loaded.warnings:
            err(warning.text("warning"))
    return loaded


def _spare(source: SourceOptions, writes: Iterable[Path]) -> None:
    """Raise UsageError for a file to write that is the inventory (or in it) or the token file.

    And for one that is a link, a pipe or the like.
    """
    from scimconf import files
    from scimconf.tokens.store import place

    writes = tuple(writes)
    if not writes:
        return
    tokens = place(source.tokens, sources(source))
    reads = [each.resolve() for each in (*sources(source), tokens)]
    for file in writes:
        for each in reads:
            if file.resolve().is_relative_to(each):
                raise UsageError(
                    f"{file} is not written: this run reads {each}",
                    "give the result a name of its own",
                )
        files.check_output(file)


def _defaults(connection: ConnectionOptions | None) -> Mapping[str, object]:
    """Give the connection options as the variables they stand for, as far as they were given.

    They are weaker than the inventory's own, as Ansible's are (its manual, "Controlling how
    Ansible behaves: precedence rules").
    """
    if connection is None:
        return {}
    given: dict[str, object] = {
        "ansible_user": connection.user,
        "ansible_become": connection.become or None,
        "ansible_become_user": connection.become_user,
        "ansible_ssh_private_key_file": connection.private_key and str(connection.private_key),
    }
    return {name: value for name, value in given.items() if value is not None}


def select(inventory: Inventory, pattern: Sequence[str], limit: Sequence[str]) -> Sequence[Server]:
    """Give the servers that the pattern and --limit name. Raises UsageError where none do."""
    from scimconf.inventory import select as chosen

    servers = chosen(inventory, pattern, limit)
    if not servers:
        raise UsageError(
            "no server to work on: no host that was named has scim_realms",
            "scimconf inventory list shows what the inventory holds",
        )
    return servers


def token_file(source: SourceOptions) -> TokenFile:
    """Read the token file, which stands beside the first inventory file."""
    from scimconf.tokens.store import TokenFile, place

    return TokenFile.load(place(source.tokens, sources(source)))


def keyring(source: SourceOptions, passwords: VaultPassword) -> Keyring:
    """Return the tokens of the fleet."""
    from scimconf import vault
    from scimconf.tokens.keyring import Keyring

    file = token_file(source)
    closed = [entry.ciphertext for entry in file.entries.values() if entry.ciphertext]
    passwords.known_ids = {vault.id_of(each) for each in closed}
    return Keyring(file, passwords)


def opener(
    source: SourceOptions,
    connection: ConnectionOptions,
    passwords: Passwords,
    servers: Iterable[Server],
) -> Opener:
    """Give what opens the conversation with one of these servers.

    Asks now, once, for -k and -K, and for the vault passwords where a server's own password is a
    vault value: the threads that talk to servers must not ask.
    """
    from scimconf import ssh, vault
    from scimconf.time_limit import limited
    from scimconf.tokens.generate import is_like_generated

    asked = asked_become = None
    if connection.ask_pass:
        asked = ask("SSH password", "log in with a key, or put ansible_password into a vault value")
    if connection.ask_become_pass:
        asked_become = ask("sudo password", "put ansible_become_password into a vault value")
    options = ssh.Options(
        host_key="accept-new" if connection.accept_new_host_keys else "strict",
        known_hosts=(str(connection.known_hosts),) if connection.known_hosts else None,
        allow_exec=source.allow_exec,
    )
    limit = connection.time_limit
    if limit is not None:
        options = replace(options, start_timeout=min(limit, options.start_timeout))

    closed = [
        each for server in servers for each in _secrets(server) if isinstance(each, VaultValue)
    ]
    if closed:
        file = token_file(source)
        of_realms = {
            vault.identity(realm.token.ciphertext)
            for server in servers
            for realm in server.realms
            if isinstance(realm.token, VaultValue)
        }
        for each in closed:
            file.refuse(each)
            if vault.identity(each.ciphertext) in of_realms:
                raise _no_password(each)
        passwords()

    def opened(value: Secret | VaultValue | None) -> Secret | None:
        if not isinstance(value, VaultValue):
            return value
        secret = vault.decrypt(value.ciphertext, passwords())
        # Whoever can write this variable can take a token out of the token file as well.
        if is_like_generated(secret):
            raise _no_password(value)
        return secret

    def open_agent(server: Server) -> AbstractContextManager[Agent]:
        credentials = ssh.Credentials(
            password=opened(server.connection.password) or asked,
            become_password=opened(server.connection.become_password) or asked_become or asked,
            passphrase=opened(server.connection.passphrase),
            ask=_person if connection.ask_pass else None,
        )
        way = server.connection
        if limit is not None:
            way = replace(way, timeout=min(limit, way.timeout))
        return ssh.open_agent(way, server.paths, credentials, options)

    threading.Thread(target=_load_the_rest).start()
    return open_agent if limit is None else limited(open_agent, limit)


def _load_the_rest() -> None:
    """Import what their answers need while the servers are being reached: a fifth of a second."""
    with suppress(ImportError):  # whoever needs it says so, and not with a traceback of a thread
        import scimconf.cli.terminal
        import scimconf.plan
        import scimconf.report.text  # noqa: F401


def _no_password(value: VaultValue) -> UsageError:
    where = f"{value.position}: " if value.position else ""
    return UsageError(
        f"{where}this vault value holds a SCIM token, or a text of that form, and is not sent as a "
        "password",
        "if it is a password: choose one that is not 43 letters and digits",
    )


def _secrets(server: Server) -> tuple[Secret | VaultValue | None, ...]:
    way = server.connection
    return way.password, way.become_password, way.passphrase


def _person(question: str) -> Secret:
    """Ask on the terminal what a server asks, or a jump host: -k says that somebody is there."""
    return Secret(click.prompt(question, hide_input=True, err=True))


class _Stderr(logging.Handler):
    """Writes to what sys.stderr is at that moment: live progress puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        err(self.format(record))


def start_log(output: OutputOptions) -> None:
    """Send our warnings, at -vvv also paramiko's log, to stderr, with tokens redacted."""
    from scimconf.secret import RedactingFormatter

    ours, paramikos = _Stderr(), _Stderr()
    ours.setFormatter(RedactingFormatter("warning: %(message)s"))
    paramikos.setFormatter(RedactingFormatter("%(name)s: %(message)s"))
    _send("scimconf", ours, logging.ERROR if output.quiet else logging.WARNING)
    if output.verbose >= 3:
        _send("paramiko", paramikos, logging.DEBUG)


def _send(name: str, handler: logging.Handler, level: int) -> None:
    logger = logging.getLogger(name)
    logger.handlers[:] = [handler]
    logger.setLevel(level)

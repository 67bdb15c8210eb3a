"""Connect to servers with the passwords that each of them needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.fleet.connections import Connections, Opener
from scimconf.fleet.fleet import Fleet
from scimconf.fleet.job import Here, Runner
from scimconf.model import Server, VaultValue
from scimconf.password_file import read_login_password
from scimconf.run.options import ConnectionOptions
from scimconf.run.person import Person
from scimconf.run.start import Start, token_file
from scimconf.secret import Secret
from scimconf.ssh import session
from scimconf.ssh.session import Conversation
from scimconf.tokens.generate import looks_generated
from scimconf.workers.scheduler import Scheduler, scheduler

Login = Callable[[Server], session.Credentials]
"""Returns the secrets of a server; raises ScimconfError."""


@contextmanager
def connect(
    begun: Start, connection: ConnectionOptions, servers: Sequence[Server], person: Person
) -> Iterator[Fleet]:
    """Yield the fleet for these servers; all its conversations close at the end of `with`.

    Asks once, before it starts threads, which must not ask: for -k and -K, and for the vault
    passwords if a server's password is a vault value. Raises UsageError.
    """
    where = _scheduler(connection, servers)
    with ExitStack() as stack:
        if where is None or not servers:
            connections = Connections(opener(begun, connection, servers, person))
            runner: Runner = Here(stack.enter_context(connections))
        else:
            login = _login(begun, connection, servers, person)
            # A relative path would start at the folder of a worker.
            files = connection.known_hosts and connection.known_hosts.absolute()
            options = _options(begun, replace(connection, known_hosts=files))
            runner = stack.enter_context(_workers(where, servers, login, options))
        yield Fleet(runner, connection.forks, connection.retries)


def opener(
    begun: Start, connection: ConnectionOptions, servers: Sequence[Server], person: Person
) -> Opener:
    """Return a function that connects from this machine to one of these servers.

    Asks first, as `connect`.
    """
    login, options = _login(begun, connection, servers, person), _options(begun, connection)

    def open_agent(server: Server) -> AbstractContextManager[Conversation]:
        return session.open_agent(server.connection, server.paths, login(server), options)

    return open_agent


def _scheduler(connection: ConnectionOptions, servers: Sequence[Server]) -> Scheduler | None:
    """Return the scheduler of the run; None if this process does the work. Raises UsageError."""
    given = (
        connection.zone_keys,
        connection.scheduler_ca,
        connection.scheduler_cert,
        connection.scheduler_key,
    )
    if connection.scheduler is None:
        if any(given):
            raise UsageError(
                "--zone-keys and --scheduler-... are for a run with --scheduler",
                "add --scheduler tls://HOST:8786, or remove them",
            )
        return None
    for server in servers:
        if server.connection.kind == "local":
            raise UsageError(
                f"{server.name} has ansible_connection: local, which would be a worker's machine",
                f"remove it, or leave the server out: --limit '!{server.name}'",
            )
    return scheduler(connection.scheduler, *given)


def _workers(
    where: Scheduler, servers: Sequence[Server], login: Login, options: session.Options
) -> AbstractContextManager[Runner]:
    """Connect to the workers. Raises UsageError, also if the engine is not installed."""
    try:
        from scimconf.workers.dask import Workers
    except ImportError as error:
        raise UsageError(
            f"--scheduler needs Dask, which is not installed ({error.name} is missing)",
            "install it: pip install 'scimconf[dask]'",
        ) from None
    return Workers(where, servers, login, options)


def _options(begun: Start, connection: ConnectionOptions) -> session.Options:
    options = session.Options(
        host_key="accept-new" if connection.accept_new_host_keys else "strict",
        known_hosts=(str(connection.known_hosts),) if connection.known_hosts else None,
        allow_exec=begun.source.allow_exec,
    )
    if connection.look_timeout is not None:
        options = replace(options, look_timeout=connection.look_timeout)
    return options


def _login(
    begun: Start, connection: ConnectionOptions, servers: Sequence[Server], person: Person
) -> Login:
    """Return a function that returns the secrets of one of these servers. Asks first."""
    begun.inventory.check([server.name for server in servers], connects=True)
    asked = asked_become = None
    if connection.ask_pass:
        hint = (
            "log in with a key, use --connection-password-file FILE, or put ansible_password into "
        )
        asked = person.secret("SSH password", f"{hint}a vault value")
    elif connection.connection_password_file:
        asked = read_login_password(connection.connection_password_file, "SSH password")
    if connection.ask_become_pass:
        hint = "use --become-password-file FILE, or put ansible_become_password into a vault value"
        asked_become = person.secret("sudo password", hint)
    elif connection.become_password_file:
        asked_become = read_login_password(connection.become_password_file, "sudo password")
    _unlock(begun, servers)

    def opened(value: Secret | VaultValue | None) -> Secret | None:
        if not isinstance(value, VaultValue):
            return value and vault.one_line(value)
        secret = vault.open_line(value.ciphertext, begun.passwords(), str(value.position or ""))
        # An author of the inventory could put a token of the token file into this variable.
        if looks_generated(secret):
            raise _is_no_password(value)
        return secret

    def of(server: Server) -> session.Credentials:
        return session.Credentials(
            password=opened(server.connection.password) or asked,
            become_password=opened(server.connection.become_password) or asked_become or asked,
            passphrase=opened(server.connection.passphrase),
            ask=person.answer_server if connection.ask_pass else None,
        )

    return of


def _unlock(begun: Start, servers: Sequence[Server]) -> None:
    """Get the vault passwords if a server's password is a vault value. Raises UsageError."""
    encrypted = [
        (server, name, each)
        for server in servers
        for name, each in _secrets(server).items()
        if isinstance(each, VaultValue)
    ]
    if not encrypted:
        return
    _refuse_tokens(begun, servers)
    try:
        begun.passwords()
    except vault.NoPasswordError as error:
        server, name, value = encrypted[0]
        where = f"{value.position}: " if value.position else ""
        message = f"{where}{name} of {server.name} is encrypted, and no vault password was given"
        raise UsageError(message, error.hint) from None


def _refuse_tokens(begun: Start, servers: Sequence[Server]) -> None:
    """Raise UsageError for a password that is a token's vault value, before it is sent."""
    file = token_file(begun.source)
    token_identities = {
        vault.identity(realm.token.ciphertext)
        for server in servers
        for realm in server.realms
        if isinstance(realm.token, VaultValue)
    }
    for server in servers:
        for each in _secrets(server).values():
            if isinstance(each, VaultValue):
                file.refuse(each)
                if vault.identity(each.ciphertext) in token_identities:
                    raise _is_no_password(each)


def _is_no_password(value: VaultValue) -> UsageError:
    where = f"{value.position}: " if value.position else ""
    return UsageError(
        f"{where}this vault value is a SCIM token or looks like one, so it is not sent as a "
        "password",
        "if it is a password, choose another one: 43 letters and digits look like a token",
    )


def _secrets(server: Server) -> dict[str, Secret | VaultValue | None]:
    """Return the secrets of a connection by Ansible's names of the variables."""
    connection = server.connection
    return {
        "ansible_password": connection.password,
        "ansible_become_password": connection.become_password,
        "ansible_private_key_passphrase": connection.passphrase,
    }

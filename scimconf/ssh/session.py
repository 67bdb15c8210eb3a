"""Open a conversation with a server's agent: find the way, connect, start the agent."""

from __future__ import annotations

import os
import pwd
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from scimconf import consent
from scimconf.errors import HostError
from scimconf.model import Connection, Paths
from scimconf.secret import MASK
from scimconf.ssh import become_words, command, link
from scimconf.ssh.become import Become
from scimconf.ssh.become_words import BecomeWordsError
from scimconf.ssh.conversation import Conversation
from scimconf.ssh.opening import Opening
from scimconf.ssh.options import Credentials, Options
from scimconf.ssh.process import LocalProcess
from scimconf.ssh.program import pack_ahead, payload
from scimconf.ssh.route import Route, all_warnings, find_route, way_facts
from scimconf.ssh.su import Su
from scimconf.ssh.sudo import Sudo

__all__ = ["Conversation", "Credentials", "Options", "open_agent"]


@contextmanager
def open_agent(
    connection: Connection, paths: Paths, credentials: Credentials, options: Options
) -> Iterator[Conversation]:
    """Start the agent on a server and return the conversation with it; close both at the end.

    Raises Unreachable if the server cannot be reached or rejects the login. Raises HostError if the
    agent cannot start there (no sudo, no Python, ...), or if a local connection is not allowed.
    """
    with _masked(connection):
        yield from _opened(connection, paths, credentials, options)


@contextmanager
def _masked(connection: Connection) -> Iterator[None]:
    """Mask the words of encrypted variables in the errors of the `with` block.

    Programs and libraries change them: capitals, quotes, a single word of several.
    """
    try:
        yield
    except HostError as error:
        texts = [each.reveal() for each in connection.encrypted.values()]
        words = {word for text in texts for word in (text, *re.split(r"[\s=,@\"']+", text)) if word}
        if words:
            longest = sorted(map(re.escape, words), key=len, reverse=True)
            found = re.compile(rf"(?i)(?<!\w)(?:{'|'.join(longest)})(?!\w)")
            error.message = found.sub(MASK, error.message)
            error.hint = found.sub(MASK, error.hint)
            error.args = (error.message,)
        raise


def _opened(
    connection: Connection, paths: Paths, credentials: Credentials, options: Options
) -> Iterator[Conversation]:
    if connection.kind == "local" and "local" not in options.allow_exec:
        raise HostError(
            "connect",
            "ansible_connection: local runs a program on this machine that the inventory chooses",
            f"if you trust the inventory with that, add {consent.option('local')}",
        )
    proxy = "proxy" in options.allow_exec
    route = find_route(connection, allow_exec=proxy) if connection.kind == "ssh" else None
    login = route.user if route else pwd.getpwuid(os.geteuid()).pw_name
    become = find_become(
        connection,
        paths,
        login,
        f"[{secrets.token_hex(16)}]",
        allow_exec="become" in options.allow_exec,
    )
    nonce = secrets.token_hex(16)
    argv = command.words(connection, paths, nonce, become)
    opening = Opening(
        nonce,
        become,
        has_password=bool(credentials.become_password),
        login=login,
        user=connection.become_user,
        zulip_user=paths.user,
    )
    pack_ahead()
    agent = _run(argv, connection, route, credentials, options)
    try:
        agent.start(opening, credentials.become_password, payload(), options.start_timeout)
        yield agent
    finally:
        agent.close()


def find_become(
    connection: Connection, paths: Paths, login: str, marker: str, *, allow_exec: bool = False
) -> Become | None:
    """Return the program that changes the user, or None if none is needed.

    For a root login none is needed: the start command changes to Zulip's user (command.py).
    `allow_exec`: whether the inventory may name any program. Raises HostError if it names one
    that is not allowed.
    """
    if not connection.become or login in ("root", connection.become_user, paths.user):
        return None
    method = connection.become_method
    try:
        words = become_words.parse(method, connection.become_exe, connection.become_flags)
    except BecomeWordsError as error:
        raise HostError("become", f"ansible_become_exe, ansible_become_flags: {error}") from error
    if words.foreign and not allow_exec:
        what = "ansible_become_flags contains" if words.is_known else "ansible_become_exe is"
        why = "an unknown option" if words.is_known else f"not a known {method}"
        raise HostError(
            "become",
            f"{what} {words.foreign!r}, {why}; a program that the inventory names could steal the "
            "password",
            f"remove it (see: scimconf help ssh); or add {consent.option('become')} if "
            "you trust the inventory with that",
        )
    kind = Su if method == "su" else Sudo
    return kind(
        marker, login, connection.become_user, words.program, words.flags, allowed=allow_exec
    )


def _run(
    argv: tuple[str, ...],
    connection: Connection,
    route: Route | None,
    credentials: Credentials,
    options: Options,
) -> Conversation:
    if route is None:
        return Conversation(LocalProcess(argv), look_seconds=options.look_timeout)
    process = link.run(command.line(argv), route, credentials, options)
    facts = way_facts(connection, route, process.address)
    return Conversation(process, facts, options.look_timeout, all_warnings(route))

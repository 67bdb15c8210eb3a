"""Build the commands of hints, for exactly the servers and realms that a hint is about. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping

from scimconf.model import Place, Server


def command(verb: str, servers: Iterable[str], realms: Iterable[str]) -> str:
    """Return a command line for these servers and realms, quoted for a shell.

    `verb`: the words before them, such as "rotate --activate".
    """
    options = [word for realm in realms for word in ("--realm", realm)]
    return f"scimconf {verb} {shlex.join([*servers, *options])}".rstrip()


def as_typed(verb: str, pattern: Iterable[str], limit: Iterable[str], realms: Iterable[str]) -> str:
    """Return a command line for the servers and realms that this command line selects."""
    limits = [word for each in limit for word in ("--limit", each)]
    return command(verb, (*pattern, *limits), realms)


def for_realm(verb: str, server: Server, realm: str) -> str:
    """Return a command line for one realm of a server, and of all servers of its deployment."""
    return command(verb, server.peers or (server.name,), (realm,))


def commands(verb: str, realms: Mapping[tuple[str, ...], Collection[str]]) -> list[str]:
    """Return command lines that select these realms and no others.

    `realms`: the servers of each deployment -> its realms. Deployments with the same realms share a
    line.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for servers, names in realms.items():
        groups.setdefault(tuple(sorted(names)), []).extend(servers)
    return [command(verb, servers, names) for names, servers in groups.items()]


def move(old: Place, new: Place) -> str:
    """Return the command that moves a token to a new place in the token file.

    If the realm has kept its name, its deployment was renamed: then move the whole deployment.
    """
    if old[1] == new[1]:
        return f"scimconf token move {shlex.join([old[0], new[0]])}"
    return f"scimconf token move {shlex.join(['/'.join(old), '/'.join(new)])}"

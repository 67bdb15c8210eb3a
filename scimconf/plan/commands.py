"""Build the commands of hints, for exactly the servers and realms that a hint is about. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping

from scimconf.model import Place, RunWords, Server

_NO_WORDS = RunWords()
_ON_WORKERS = ("plan", "verify", "apply", "rotate", "undo", "recover")
"""The verbs that workers can do (docs/scale.md)."""


def command(
    verb: str, servers: Iterable[str], realms: Iterable[str], words: RunWords = _NO_WORDS
) -> str:
    """Return a command line for these servers and realms, quoted for a shell.

    `verb`: the words before them, such as "rotate --activate". `words`: the options of this run;
    the command gets those that its verb has.
    """
    name, dash, options = verb.partition(" -")
    taken = [*words.files]
    if not name.startswith("token"):
        taken += words.variables
    taken += words.passwords
    if name.split()[0] not in ("token", "handoff", "inventory"):
        taken += words.connection
    if name.split()[0] in _ON_WORKERS:
        taken += words.workers
    if name.split()[0] in ("apply", "rotate", "deliver"):
        taken += words.delivery
    names, rest = [*servers], [word for realm in realms for word in ("--realm", realm)]
    dashed = any(each.startswith("-") for each in names)
    last = [*rest, "--", *names] if dashed else [*names, *rest]
    parts = (name, shlex.join(taken), (dash + options).strip(), shlex.join(last))
    return " ".join(["scimconf", *filter(None, parts)])


def as_typed(
    verb: str,
    pattern: Iterable[str],
    limit: Iterable[str],
    realms: Iterable[str],
    words: RunWords = _NO_WORDS,
) -> str:
    """Return a command line for the servers and realms that this command line selects."""
    limits = shlex.join([word for each in limit for word in ("--limit", each)])
    return command(f"{verb} {limits}".rstrip(), pattern, realms, words)


def for_server(verb: str, server: Server) -> str:
    """Return a command line for one server, with the options of this run."""
    return command(verb, (server.name,), (), server.words)


def for_realm(verb: str, server: Server, realm: str) -> str:
    """Return a command line for one realm of a server, and of all servers of its deployment."""
    return command(verb, server.peers or (server.name,), (realm,), server.words)


def commands(
    verb: str, realms: Mapping[tuple[str, ...], Collection[str]], words: RunWords = _NO_WORDS
) -> list[str]:
    """Return command lines that select these realms and no others.

    `realms`: the servers of each deployment -> its realms. Deployments with the same realms share a
    line.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for servers, names in realms.items():
        groups.setdefault(tuple(sorted(names)), []).extend(servers)
    return [command(verb, servers, names, words) for names, servers in groups.items()]


def move(old: Place, new: Place, words: RunWords = _NO_WORDS) -> str:
    """Return the command that moves a token to a new place in the token file.

    If the realm has kept its name, its deployment was renamed: then move the whole deployment.
    """
    if old[1] == new[1]:
        return command("token move", (old[0], new[0]), (), words)
    return command("token move", ("/".join(old), "/".join(new)), (), words)

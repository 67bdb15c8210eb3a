"""Write the command line of a next step, with the options that this run had. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from scimconf.consent import EVERYTHING
from scimconf.run.options import ConnectionOptions, SourceOptions


def command(
    verb: str, source: SourceOptions, pattern: Sequence[str] = (), more: Sequence[str] = ()
) -> str:
    """Return a command line for the same inventory, token file and servers, quoted for a shell.

    `more`: further options, before the pattern.
    """
    words = ["scimconf", verb]
    for file in source.inventory:
        words += ["-i", str(file)]
    if source.tokens:
        words += ["--tokens", str(source.tokens)]
    if source.allow_exec:
        everything = source.allow_exec == EVERYTHING
        kinds = "all" if everything else ",".join(sorted(source.allow_exec))
        words.append(f"--allow-exec={kinds}")
    for limit in source.limit:
        words += ["-l", limit]
    words += more
    if any(name.startswith("-") for name in pattern):
        words.append("--")
    return shlex.join([*words, *pattern])


def verify(
    source: SourceOptions, connection: ConnectionOptions, passwords: Sequence[str]
) -> Callable[[str], str]:
    """Return a function that writes the command to verify one server.

    `passwords`: the options for passwords.
    """
    more = (*passwords, *way(connection))
    return lambda name: command("verify", replace(source, limit=()), (name,), more)


def way(connection: ConnectionOptions) -> tuple[str, ...]:
    """Return the options that a command needs to reach the same servers as this run."""
    words: list[str] = []
    for name, value in (
        ("-u", connection.user),
        ("--private-key", connection.private_key),
        ("--become-user", connection.become_user),
        ("--known-hosts", connection.known_hosts),
    ):
        words += [name, str(value)] if value is not None else []
    flags = {"-b": connection.become, "-k": connection.ask_pass, "-K": connection.ask_become_pass}
    return (*words, *(name for name, given in flags.items() if given))

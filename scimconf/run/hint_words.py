"""Collect the options of a run that the commands in its hints repeat. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scimconf.consent import EVERYTHING
from scimconf.model import RunWords
from scimconf.run.options import NO_HOSTS, ConnectionOptions, DeliveryOptions, SourceOptions

_ONE = re.compile(r"(\w+)=\S*$")
_HARMLESS = re.compile(r"(ansible|scim|zulip)_(?!.*(pass|secret|token(?!_store)))")
"""A name whose value is no secret. Names of other programs can stand for anything."""


def words(
    source: SourceOptions,
    passwords: Sequence[str],
    connection: ConnectionOptions | None,
    delivery: DeliveryOptions = NO_HOSTS,
) -> RunWords:
    """Return these options; `passwords` are those for the vault passwords."""
    login, workers = (_login(connection), _workers(connection)) if connection else ((), ())
    hosts = tuple(word for host in delivery.idp_host for word in ("--idp-host", host))
    return RunWords(_files(source), _variables(source), tuple(passwords), login, hosts, workers)


def _files(source: SourceOptions) -> tuple[str, ...]:
    files = [word for file in source.inventory for word in ("-i", str(file))]
    return (*files, "--tokens", str(source.tokens)) if source.tokens else tuple(files)


def _variables(source: SourceOptions) -> tuple[str, ...]:
    given = [word for each in source.extra_vars for word in ("-e", _shown(each))]
    if source.allow_exec:
        everything = source.allow_exec == EVERYTHING
        kinds = "all" if everything else ",".join(sorted(source.allow_exec))
        given.append(f"--allow-exec={kinds}")
    return tuple(given)


def _shown(variables: str) -> str:
    """Return a value of -e for a message. Leave out a value that may be a secret.

    The replacement has no `=`, so scimconf refuses the command until somebody completes it.
    """
    if variables.startswith("@"):
        return variables
    one = _ONE.match(variables)
    if one is None:
        return "..."
    return variables if _HARMLESS.match(one[1]) else f"{one[1]}: ..."


def _login(connection: ConnectionOptions) -> tuple[str, ...]:
    """Return the options that a command needs to reach the same servers as this run."""
    words: list[str] = []
    for name, value in (
        ("-u", connection.user),
        ("--private-key", connection.private_key),
        ("--become-user", connection.become_user),
        ("--known-hosts", connection.known_hosts),
        ("--connection-password-file", connection.connection_password_file),
        ("--become-password-file", connection.become_password_file),
    ):
        words += [name, str(value)] if value is not None else []
    flags = {"-b": connection.become, "-k": connection.ask_pass, "-K": connection.ask_become_pass}
    return (*words, *(name for name, given in flags.items() if given))


def _workers(connection: ConnectionOptions) -> tuple[str, ...]:
    """Return the options that choose the workers."""
    given = {
        "--scheduler": connection.scheduler,
        "--scheduler-ca": connection.scheduler_ca,
        "--scheduler-cert": connection.scheduler_cert,
        "--scheduler-key": connection.scheduler_key,
        "--zone-keys": connection.zone_keys,
    }
    return tuple(word for name, value in given.items() if value for word in (name, str(value)))

"""`scimconf inventory`: check, list or draw the inventory."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.help import Argument
from scimconf.cli.options import VaultOptions
from scimconf.cli.person import Terminal
from scimconf.cli.streams import out
from scimconf.errors import InventoryError
from scimconf.inventory import Inventory, as_graph, as_listing
from scimconf.inventory.editor_schema import inventory_schema
from scimconf.inventory.leaks import leaks as found
from scimconf.model import Server
from scimconf.run.options import SourceOptions
from scimconf.run.start import load, select, token_file
from scimconf.run.tokens import unmoved
from scimconf.sanitize import sanitize
from scimconf.yamlfile import read_text


@options.group("inventory")
def command() -> None:
    """Check, list or draw the inventory.

    Contacts no server.
    """


@command.command("check")
@options.source
@options.vault
def check(source: SourceOptions, vault: VaultOptions) -> None:
    """Check the inventory and the token file. Report every error with its place."""
    person = Terminal(vault)
    loaded = _load(source, person)
    file = token_file(source)  # raises an error if the file is invalid
    if source.limit:
        servers: Collection[Server] = select(loaded, (), source)
    else:
        loaded.check_all()
        servers = loaded.servers.values()
    if not servers:
        out("ok, but no host has scim_realms: there is nothing to configure")
        return
    for problem in loaded.unknown_of(server.name for server in servers):
        person.warn(replace(problem, message=f"not checked: {problem.message}"))
    for warning in unmoved(servers, loaded.places, file):
        person.warn(warning)
    realms = sum(len(server.realms) for server in servers)
    out(f"ok: {_count(len(servers), 'server')}, {_count(realms, 'realm')}")


@command.command("leaks")
@click.argument(
    "files",
    cls=Argument,
    nargs=-1,
    required=True,
    type=options.FILE,
    text="Check these inventories, token files or server files.",
)
def leaks(files: tuple[Path, ...]) -> None:
    """Fail if a file contains a token in clear text.

    Checks inventories and token files, and copies of settings.py, zulip-secrets.conf and the
    environment of docker-zulip. Run it before a commit.
    """
    problems = [each for file in files for each in found(read_text(file), str(file))]
    if problems:
        raise InventoryError(problems)
    out(f"ok: no token in clear text in {_count(len(files), 'file')}")


def _load(source: SourceOptions, person: Terminal) -> Inventory:
    return load(source, person, passwords=person.vault_passwords(None))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@command.command("list")
@options.pattern
@options.source
@options.vault
def list_(pattern: tuple[str, ...], source: SourceOptions, vault: VaultOptions) -> None:
    """Print hosts, groups and variables as JSON. The form is that of ansible-inventory --list.

    It has the variables that scimconf uses, and only for hosts with scim_realms.
    """
    loaded = _load(source, Terminal(vault))
    out(json.dumps(as_listing(loaded, (*pattern, *source.limit)), indent=2))


@command.command("graph")
@options.source
@options.vault
def graph(source: SourceOptions, vault: VaultOptions) -> None:
    """Draw the groups and their hosts as a tree. The form is that of ansible-inventory --graph."""
    drawn = as_graph(_load(source, Terminal(vault)))
    out(sanitize(drawn, len(drawn)))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of an inventory file, for editors."""
    out(json.dumps(inventory_schema(), indent=2))

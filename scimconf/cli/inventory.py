"""`scimconf inventory`: what the inventory holds, and whether it can be used."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.options import SourceOptions
from scimconf.cli.streams import out


@click.group("inventory")
def command() -> None:
    """Check, list or draw the inventory; asks no server."""


@command.command("check")
@options.source
def check(source: SourceOptions) -> None:
    """Say whether the inventory can be used: every error at once, each with its place."""
    from scimconf.cli import fleet

    loaded = fleet.load(source)
    fleet.token_file(source)  # raises what is wrong with it
    servers = fleet.select(loaded, (), source.limit) if source.limit else loaded.servers.values()
    if not servers:
        out("ok, but there is nothing to do: no host has scim_realms")
        return
    realms = sum(len(server.realms) for server in servers)
    out(f"ok: {_count(len(servers), 'server')}, {_count(realms, 'realm')}")


@command.command("leaks")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def leaks(files: tuple[Path, ...]) -> None:
    """Refuse FILES in which a token stands in clear, before they are committed.

    Looks into inventories and token files, and for bearer tokens in copies of settings.py,
    zulip-secrets.conf and the environment of docker-zulip.
    """
    from scimconf.errors import InventoryError
    from scimconf.inventory.leaks import leaks as found
    from scimconf.yamlfile import read_text

    problems = [each for file in files for each in found(read_text(file), str(file))]
    if problems:
        raise InventoryError(problems)
    out(f"ok: no token in clear in {_count(len(files), 'file')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@command.command("list")
@options.pattern
@options.source
def list_(pattern: tuple[str, ...], source: SourceOptions) -> None:
    """Print hosts, groups and variables as JSON, as ansible-inventory --list does."""
    from scimconf.cli import fleet
    from scimconf.inventory import as_listing

    loaded = fleet.load(source)
    out(json.dumps(as_listing(loaded, (*pattern, *source.limit)), indent=2))


@command.command("graph")
@options.source
def graph(source: SourceOptions) -> None:
    """Draw the groups and their hosts as a tree, as ansible-inventory --graph does."""
    from scimconf.cli import fleet
    from scimconf.foreign import harmless
    from scimconf.inventory import as_graph

    drawn = as_graph(fleet.load(source))
    out(harmless(drawn, len(drawn)))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of an inventory file, for editors."""
    from scimconf.inventory.editor_schema import inventory_schema

    out(json.dumps(inventory_schema(), indent=2))

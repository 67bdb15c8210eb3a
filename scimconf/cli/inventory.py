"""`scimconf inventory`: what the inventory holds, and whether it can be used."""

from __future__ import annotations

import json

import click

from scimconf.cli import options
from scimconf.cli.options import SourceOptions


@click.group("inventory")
def command() -> None:
    """Check, list or draw the inventory; asks no server."""


@command.command("check")
@options.source
def check(source: SourceOptions) -> None:
    """Say whether the inventory can be used: every error at once, each with its place."""
    from scimconf.cli import fleet

    loaded = fleet.load(source)
    realms = sum(len(server.realms) for server in loaded.servers.values())
    click.echo(f"ok: {len(loaded.servers)} servers, {realms} realms")


@command.command("list")
@options.pattern
@options.source
def list_(pattern: tuple[str, ...], source: SourceOptions) -> None:
    """Print hosts, groups and variables as JSON, as ansible-inventory --list does."""
    from scimconf.cli import fleet
    from scimconf.inventory import as_listing

    loaded = fleet.load(source)
    click.echo(json.dumps(as_listing(loaded, (*pattern, *source.limit)), indent=2))


@command.command("graph")
@options.source
def graph(source: SourceOptions) -> None:
    """Draw the groups and their hosts as a tree, as ansible-inventory --graph does."""
    from scimconf.cli import fleet
    from scimconf.inventory import as_graph

    click.echo(as_graph(fleet.load(source)))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of an inventory file, for editors."""
    from scimconf.inventory import json_schema

    click.echo(json.dumps(json_schema(), indent=2))

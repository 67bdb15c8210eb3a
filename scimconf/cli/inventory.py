"""`scimconf inventory`: what the inventory holds, and whether it can be used."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.streams import err, out
from scimconf.errors import InventoryError
from scimconf.inventory import as_graph, as_listing, json_schema
from scimconf.inventory.leaks import leaks as found
from scimconf.run.options import SourceOptions
from scimconf.run.start import load, select, token_file
from scimconf.sanitize import sanitize
from scimconf.yamlfile import read_text


@click.group("inventory")
def command() -> None:
    """Check, list or draw the inventory; asks no server."""


@command.command("check")
@options.source
def check(source: SourceOptions) -> None:
    """Say whether the inventory can be used: every error at once, each with its place."""
    loaded = load(source, _warn)
    token_file(source)  # raises what is wrong with it
    servers = select(loaded, (), source.limit) if source.limit else loaded.servers.values()
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
    problems = [each for file in files for each in found(read_text(file), str(file))]
    if problems:
        raise InventoryError(problems)
    out(f"ok: no token in clear in {_count(len(files), 'file')}")


def _warn(text: str) -> None:
    err(f"warning: {text}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@command.command("list")
@options.pattern
@options.source
def list_(pattern: tuple[str, ...], source: SourceOptions) -> None:
    """Print hosts, groups and variables as JSON, as ansible-inventory --list does."""
    loaded = load(source, _warn)
    out(json.dumps(as_listing(loaded, (*pattern, *source.limit)), indent=2))


@command.command("graph")
@options.source
def graph(source: SourceOptions) -> None:
    """Draw the groups and their hosts as a tree, as ansible-inventory --graph does."""
    drawn = as_graph(load(source, _warn))
    out(sanitize(drawn, len(drawn)))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of an inventory file, for editors."""
    out(json.dumps(json_schema(), indent=2))

"""`scimconf init`: a first inventory, or what an Ansible inventory lacks, and what goes with it."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from scimconf.cli import existing, options
from scimconf.cli.existing import Existing
from scimconf.cli.streams import out
from scimconf.errors import InventoryError, UsageError
from scimconf.zulip.presets import PRESETS

_PASSWORD_FILE = ".vault-password"  # noqa: S105
_SCHEMA = ".scimconf-schema.json"
"""Beside the inventory: editors look from the file that names it. Ansible skips such a name."""
_IGNORED = (_PASSWORD_FILE, ".tokens.yaml.lock", ".*.new")
"""The password, the lock that scimconf holds while it writes tokens.yaml, and what a killed run can
leave: unfinished files, which may hold tokens in clear."""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@options.option(
    "--host",
    "hosts",
    variable="HOST",
    multiple=True,
    help="A server's host name; in an inventory that is there, a host or group of it. "
    "Repeat for more.",
)
@options.option(
    "--user",
    variable="USER",
    help="Log in as this user.  [default: zulip; what an inventory says that is there]",
)
@options.option(
    "--idp",
    variable="IDP",
    type=click.Choice(sorted(PRESETS)),
    help="Identity provider.  [default: okta]",
)
@options.option(
    "--realm",
    "realms",
    variable="REALM",
    multiple=True,
    help='A realm of each server, by its subdomain.  [default: "", the root]',
)
@options.option(
    "--make-vault-password/--no-vault-password",
    variable="MAKE_VAULT_PASSWORD",
    default=None,
    help=f"Make {_PASSWORD_FILE} (0600), which encrypts the token file.  [default: no]",
)
def command(
    folder: Path,
    hosts: tuple[str, ...],
    user: str | None,
    idp: str | None,
    realms: tuple[str, ...],
    make_vault_password: bool | None,
) -> None:
    """Write a first inventory into FOLDER; a vault password too, if wanted.

    Where an Ansible inventory is there (inventory.yaml, inventory/, hosts.yml, ...), that one is
    used: what is missing in it is put into its group_vars or host_vars.

    Without --host it asks, on a terminal, for all that no option says.
    """
    there = existing.find(folder)
    asks = not hosts
    if asks and not sys.stdin.isatty():
        raise UsageError("no terminal to ask on", "say which servers: --host chat.example.com")
    if there:
        hosts = hosts or _ask_which(there)
    elif asks:
        hosts = _words(click.prompt("Zulip servers (host names, blanks between)"))
        user = user or click.prompt("Log in as", default="zulip")
    if asks:
        idp = idp or click.prompt(
            "Identity provider", type=click.Choice(sorted(PRESETS)), default="okta"
        )
        question = 'Realms (subdomains, blanks between; "" is the root domain)'
        realms = realms or _words(click.prompt(question, default='""'))
        if make_vault_password is None:
            make_vault_password = click.confirm(f"Make a vault password ({_PASSWORD_FILE})?", True)
    if there:
        _add(there, hosts, user, idp or "okta", realms or ("",))
    else:
        _begin(folder, _inventory(hosts, user or "zulip", idp or "okta", realms or ("",)))
    _ignore(folder / ".gitignore")
    password_file = folder / _PASSWORD_FILE
    if make_vault_password and not os.path.lexists(password_file):
        _write(password_file, f"{secrets.token_urlsafe(32)}\n", 0o600)
    _next_steps(folder, there, with_password=password_file.exists())


def _ask_which(there: Existing) -> tuple[str, ...]:
    out(f"Using the inventory {there.source}. A server that has SCIM already is not for init:")
    out(f"  scimconf import -i {there.source.name} HOST    takes it over as it is")
    question = "Zulip servers (its hosts or groups, blanks between)"
    return _words(click.prompt(question, default=there.likely))


def _add(
    there: Existing, hosts: Sequence[str], user: str | None, idp: str, realms: Sequence[str]
) -> None:
    """Put what is missing beside the inventory that is there."""
    variables: dict[str, object] = {"ansible_user": user} if user else {}
    variables |= {"scim_idp": idp, "scim_token_store": "secrets"}
    additions = there.additions(hosts, {**variables, "scim_realms": {name: {} for name in realms}})
    there.write(additions)
    for path in additions:
        out(f"wrote {path}")


def _begin(folder: Path, text: str) -> None:
    """Write a first inventory, and the schema that its first line names to editors."""
    from scimconf.inventory.editor_schema import inventory_schema

    _check(text)
    _make(folder)
    _write(folder / "inventory.yaml", text, 0o644)
    if not os.path.lexists(folder / _SCHEMA):
        _write(folder / _SCHEMA, f"{json.dumps(inventory_schema(), indent=2)}\n", 0o644)


def _words(answer: str) -> tuple[str, ...]:
    """Split an answer; `""` is the empty word."""
    return tuple(word.strip("\"'") for word in answer.replace(",", " ").split())


def _inventory(hosts: Sequence[str], user: str, idp: str, realms: Sequence[str]) -> str:
    entries = "".join(f"          {_scalar(realm)}: {{}}\n" for realm in dict.fromkeys(realms))
    servers = "".join(f"        {_scalar(host)}:\n" for host in dict.fromkeys(hosts))
    return f"""\
# yaml-language-server: $schema={_SCHEMA}
#
# What scimconf makes of the SCIM configuration of these Zulip servers. It is an Ansible inventory:
# groups, host_vars and the rest work as they do there. All variables: docs/inventory.md
all:
  vars:
    ansible_user: {_scalar(user)}
  children:
    zulip:
      vars:
        scim_idp: {_scalar(idp)}
        # The tokens stand in zulip-secrets.conf, not in settings.py, which every local user of
        # the server can read.
        scim_token_store: secrets
        scim_realms:
{entries}      hosts:
{servers}"""


def _scalar(text: str) -> str:
    """Give a text as a YAML scalar: plain where no reader takes it for anything else."""
    bare = text.replace(".", "").replace("-", "").replace("_", "")
    if bare.isascii() and bare.isalnum() and text[0].isalpha() and ("." in text or text in _PLAIN):
        return text
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'


_PLAIN = {"zulip", "root", *PRESETS}
"""Words without a dot that YAML reads as text: not so `no`, `on`, `1e3`."""


def _check(text: str) -> None:
    """Read the inventory back before it is written; raises UsageError for what was asked for."""
    from scimconf import inventory

    with TemporaryDirectory() as folder:
        path = Path(folder, "inventory.yaml")
        path.write_text(text, encoding="utf-8")
        try:
            inventory.load([path])
        except InventoryError as error:
            # The place is one in a file that there will not be.
            raise InventoryError(
                [replace(each, position=None) for each in error.problems]
            ) from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}") from None


def _write(path: Path, text: str, mode: int) -> None:
    """Write a new file; never over one that is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    out(f"wrote {path}")


def _ignore(path: Path) -> None:
    """Keep out of git what does not belong there."""
    try:
        data = path.read_bytes() if path.exists() else b""
        missing = [name for name in _IGNORED if name.encode() not in data.splitlines()]
        begun = "" if not data or data.endswith(b"\n") else "\n"
        if missing:
            with open(path, "a", encoding="utf-8") as file:
                file.write(begun + "".join(f"{name}\n" for name in missing))
            out(f"wrote {path}")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _next_steps(folder: Path, there: Existing | None, *, with_password: bool) -> None:
    """Print commands to copy, without comments: not every shell takes them on a command line."""
    cd = "" if folder.resolve() == Path.cwd() else f"\n  cd -- {shlex.quote(str(folder))}"
    name = there.source.name if there else "inventory.yaml"
    source = "" if name == "inventory.yaml" else f" -i {name}"
    vault = f"--vault-password-file {_PASSWORD_FILE}" if with_password else "--ask-vault-pass"
    out(
        f"""
Next:{cd}
  scimconf plan{source}
  scimconf apply{source} {vault}
  scimconf handoff{source} {vault} --show-tokens

plan changes nothing; handoff says what to type into the identity provider."""
    )
    if there:
        out(f"Servers that have SCIM already: scimconf import{source} {vault} HOST")

"""`scimconf init`: write a first inventory, or add SCIM variables to an Ansible inventory."""

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
from scimconf.cli.existing import Existing, scalar
from scimconf.cli.help import Argument
from scimconf.cli.options import VaultOptions
from scimconf.cli.person import Terminal
from scimconf.cli.streams import out
from scimconf.cli.vault_password import is_in_environment
from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import discovery, load
from scimconf.inventory.editor_schema import inventory_schema
from scimconf.password_file import read_own_vault_password
from scimconf.run.own_password import NAME as PASSWORD_FILE
from scimconf.zulip.presets import PRESETS

_SCHEMA = ".scimconf-schema.json"
"""Beside the inventory, whose first line names it for editors. Ansible ignores names with a dot."""
_IGNORED = (PASSWORD_FILE, ".tokens.yaml.lock", ".*.new")
"""Names for .gitignore: the password, the lock of tokens.yaml, and the unfinished files of a killed
run, which may contain tokens in clear text."""


@options.verb("init")
@click.argument(
    "folder",
    cls=Argument,
    type=options.FILE,
    default=".",
    text="Write into this folder.  [default: .]",
)
@options.option(
    "--host",
    "hosts",
    variable=False,
    multiple=True,
    metavar="HOST",
    help="Add this server. In an existing inventory: configure this host or group. Repeatable.",
)
@options.option(
    "--user",
    variable=False,
    metavar="USER",
    help="Set the login user.  [default: zulip, or what the inventory says]",
)
@options.option(
    "--idp",
    variable=False,
    type=click.Choice(sorted(PRESETS)),
    metavar="IDP",
    help=f"Set the IdP: okta (default), {', '.join(sorted({*PRESETS} - {'okta'}))}.",
)
@options.option(
    "--realm",
    "realms",
    variable=False,
    multiple=True,
    metavar="REALM",
    help='Add this realm (a subdomain) to each server. Repeatable.  [default: "", the root realm]',
)
@options.option(
    "--make-vault-password/--no-vault-password",
    variable=False,
    default=None,
    help=f"Create {PASSWORD_FILE}, which encrypts the token file.  [default: no]",
)
@options.vault
def command(
    folder: Path,
    hosts: tuple[str, ...],
    user: str | None,
    idp: str | None,
    realms: tuple[str, ...],
    make_vault_password: bool | None,
    vault: VaultOptions,
) -> None:
    """Write a first inventory, or extend an Ansible inventory.

    If the folder has an Ansible inventory (ansible.cfg names it, or it is called inventory.yaml,
    hosts.yml, hosts.ini, hosts, inventory/, ...), init adds the SCIM variables to its group_vars or
    host_vars. If init wrote the inventory, it adds the servers of --host to it.

    Without --host, init asks on the terminal for the values that the options do not set.
    """
    plain = idp is None and user is None and not realms
    person = Terminal(vault)
    passwords = person.vault_passwords(None)
    grown = existing.grow(folder, hosts, passwords) if plain else []
    there = None if grown else existing.find(folder, passwords)
    for warning in there.inventory.closed_files() if there else ():
        person.warn(warning)
    asks = not hosts
    if asks and not sys.stdin.isatty():
        raise UsageError(
            "no server is named, and init cannot ask without a terminal",
            "name each server: scimconf init --host chat.example.com",
        )
    if there:
        hosts = hosts or _ask_which(there)
    elif asks:
        hosts = _words(click.prompt("Zulip servers (host names, separated by spaces)"))
        user = user or click.prompt("Log in as", default="zulip")
    if asks:
        idp = idp or click.prompt(
            "Identity provider", type=click.Choice(sorted(PRESETS)), default="okta"
        )
        question = 'Realms (subdomains, separated by spaces; "" is the root realm)'
        realms = realms or _words(click.prompt(question, default='""'))
        if make_vault_password is None:
            make_vault_password = click.confirm(f"Create a vault password ({PASSWORD_FILE})?", True)
    for path in grown:
        out(f"wrote {path}")
    if there:
        _add(there, hosts, user, idp or "okta", realms or ("",))
    elif not grown:
        _begin(folder, _inventory(hosts, user or "zulip", idp or "okta", realms or ("",)))
    _ignore(folder / ".gitignore")
    password_file = folder / PASSWORD_FILE
    if make_vault_password and not os.path.lexists(password_file):
        _write(password_file, f"{secrets.token_urlsafe(32)}\n", 0o600)
    _next_steps(folder, there, person, with_password=password_file.exists())


def _ask_which(there: Existing) -> tuple[str, ...]:
    out(f"Using the inventory {there.source}. For a server that already has SCIM, run instead:")
    out("  scimconf import HOST")
    question = "Zulip servers (hosts or groups of this inventory, separated by spaces)"
    return _words(click.prompt(question, default=there.likely))


def _add(
    there: Existing, hosts: Sequence[str], user: str | None, idp: str, realms: Sequence[str]
) -> None:
    """Add the SCIM variables to the existing inventory."""
    variables: dict[str, object] = {"ansible_user": user} if user else {}
    variables |= {"scim_idp": idp, "scim_token_store": "secrets"}
    additions = there.additions(hosts, {**variables, "scim_realms": {name: {} for name in realms}})
    there.write(additions)
    for path in additions:
        out(f"wrote {path}")


def _begin(folder: Path, text: str) -> None:
    """Write a first inventory, and the schema for editors."""
    _check(text)
    _make(folder)
    _write(folder / "inventory.yaml", text, 0o644)
    if not os.path.lexists(folder / _SCHEMA):
        _write(folder / _SCHEMA, f"{json.dumps(inventory_schema(), indent=2)}\n", 0o644)


def _words(answer: str) -> tuple[str, ...]:
    """Split an answer into words. Two quotes (`""`) are the empty word."""
    return tuple(word.strip("\"'") for word in answer.replace(",", " ").split())


def _inventory(hosts: Sequence[str], user: str, idp: str, realms: Sequence[str]) -> str:
    entries = "".join(f"          {scalar(realm)}: {{}}\n" for realm in dict.fromkeys(realms))
    servers = "".join(f"        {scalar(host)}:\n" for host in dict.fromkeys(hosts))
    return f"""\
# yaml-language-server: $schema={_SCHEMA}
#
# The SCIM configuration of these Zulip servers. This is an Ansible inventory: groups, host_vars and
# patterns work as they do in Ansible. All variables: scimconf help inventory
all:
  vars:
    ansible_user: {scalar(user)}
  children:
    zulip:
      vars:
        scim_idp: {scalar(idp)}
        # Keep tokens in zulip-secrets.conf: every local user of the server can read settings.py.
        scim_token_store: secrets
        # The realms by subdomain. "" is the root realm.
        scim_realms:
{entries}      hosts:
{servers}"""


def _check(text: str) -> None:
    """Read the text as an inventory before it is written. Raises InventoryError."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "inventory.yaml")
        path.write_text(text, encoding="utf-8")
        try:
            load([path])
        except InventoryError as error:
            # Drop the position: it is in a temporary file.
            raise InventoryError(
                [replace(each, position=None) for each in error.problems]
            ) from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot create {folder}: {error.strerror}") from None


def _write(path: Path, text: str, mode: int) -> None:
    """Write a new file. Never overwrite a file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    out(f"wrote {path}")


def _ignore(path: Path) -> None:
    """Add the names that git must ignore."""
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


def _source_option(folder: Path, sources: Sequence[Path]) -> str:
    """Return the -i options that verbs in this folder need: none if they find these sources."""
    try:
        if discovery.find(folder).sources == tuple(sources):
            return ""
    except UsageError:
        pass
    return "".join(f" -i {shlex.quote(os.path.relpath(each, folder))}" for each in sources)


def _next_steps(
    folder: Path, there: Existing | None, person: Terminal, *, with_password: bool
) -> None:
    """Print commands to paste, without comments: an interactive zsh does not accept comments."""
    cd = "" if folder.resolve() == Path.cwd() else f"\n  cd -- {shlex.quote(str(folder))}"
    sources = there.sources if there else (folder / "inventory.yaml",)
    source = _source_option(folder, sources)
    option = f" --vault-password-file {PASSWORD_FILE}" if with_password else " --ask-vault-pass"
    if not cd and (person.password_options or is_in_environment()):
        option = "".join(f" {shlex.quote(word)}" for word in person.password_options)
    is_found = with_password and _is_found(sources[0].parent / PASSWORD_FILE)
    changing = "" if is_found else option
    out(
        f"""
Next:{cd}
  scimconf plan{source}
  scimconf apply{source}{changing}
  scimconf handoff{source}{option} --show-tokens

plan changes nothing. handoff prints what to enter at the identity provider."""
    )
    if there:
        out(f"For servers that already have SCIM: scimconf import{source}{changing} HOST")


def _is_found(password_file: Path) -> bool:
    """Return whether a verb that changes something uses the file without an option."""
    try:
        read_own_vault_password(password_file)
    except UsageError:
        return False
    return True

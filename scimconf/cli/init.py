"""`scimconf init`: write a first inventory, and what belongs beside it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from scimconf.errors import UsageError

_PASSWORD_FILE = ".vault-password"  # noqa: S105


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--host", "hosts", multiple=True, help="A server's host name; repeat for more.")
@click.option("--user", help="Log in as this user.  [default: zulip]")
@click.option("--idp", help="Identity provider: okta, entra, ...")
@click.option("--realm", "realms", multiple=True, help='A realm of each server; "" is the root.')
@click.option(
    "--vault-password/--no-vault-password",
    default=None,
    help=f"Make {_PASSWORD_FILE} (0600), which encrypts the token file.",
)
def command(
    folder: Path,
    hosts: tuple[str, ...],
    user: str | None,
    idp: str | None,
    realms: tuple[str, ...],
    vault_password: bool | None,
) -> None:
    """Write inventory.yaml and .gitignore into FOLDER, and a vault password if wanted.

    Asks for what no option says; without a terminal --host is needed, the rest has defaults.
    """
    from scimconf.zulip.presets import PRESETS

    target = folder / "inventory.yaml"
    if target.exists():
        raise UsageError(f"{target} is already there", "edit it, or choose another folder")
    asks = sys.stdin.isatty()
    if not hosts and not asks:
        raise UsageError("no terminal to ask on", "say which servers: --host chat.example.com")
    if not hosts:
        hosts = tuple(click.prompt("Zulip servers (host names, blanks between)").split())
        user = user or click.prompt("Log in as", default="zulip")
        idp = idp or click.prompt(
            "Identity provider", type=click.Choice(sorted(PRESETS)), default="okta"
        )
        asked = click.prompt("Realms (subdomains, blanks between; empty: the root)", default="")
        realms = realms or tuple(asked.split()) or ("",)
        if vault_password is None:
            vault_password = click.confirm(f"Make a vault password ({_PASSWORD_FILE})?", True)
    text = _inventory(hosts, user or "zulip", idp or "okta", realms or ("",))
    _check(text)
    folder.mkdir(parents=True, exist_ok=True)
    _write(target, text, 0o644)
    _ignore(folder / ".gitignore")
    password_file = folder / _PASSWORD_FILE
    if vault_password and not password_file.exists():
        _write(password_file, f"{secrets.token_urlsafe(32)}\n", 0o600)
    _next_steps(folder, with_password=password_file.exists())


def _inventory(hosts: Sequence[str], user: str, idp: str, realms: Sequence[str]) -> str:
    entries = "".join(f"            {_scalar(realm)}: {{}}\n" for realm in realms)
    servers = "".join(f"        {_scalar(host)}:\n" for host in hosts)
    return f"""\
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
    """Give a text as a YAML scalar: plain where that is safe, else double-quoted."""
    plain = text.replace(".", "").replace("-", "").replace("_", "")
    if plain.isascii() and plain.isalnum() and text[0].isalpha() and "." in text:
        return text
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{escaped}"'


def _check(text: str) -> None:
    """Read the inventory back before it is written; raises InventoryError, as `check` would."""
    from scimconf import inventory

    with TemporaryDirectory() as folder:
        path = Path(folder, "inventory.yaml")
        path.write_text(text, encoding="utf-8")
        inventory.load([path])


def _write(path: Path, text: str, mode: int) -> None:
    """Write a new file; never over one that is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    click.echo(f"wrote {path}")


def _ignore(path: Path) -> None:
    """Keep the vault password out of git."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if _PASSWORD_FILE in lines:
        return
    with open(path, "a", encoding="utf-8") as file:
        if lines and not path.read_text(encoding="utf-8").endswith("\n"):
            file.write("\n")
        file.write(f"{_PASSWORD_FILE}\n")
    click.echo(f"wrote {path}")


def _next_steps(folder: Path, *, with_password: bool) -> None:
    cd = "" if folder == Path() else f"  cd {folder}\n"
    option = f" --vault-password-file {_PASSWORD_FILE}" if with_password else " --ask-vault-pass"
    click.echo(
        f"""
Next:
{cd}  scimconf plan                    # looks, changes nothing
  scimconf apply{option}
  scimconf handoff{option} --show-tokens   # what to type into the identity provider"""
    )

"""`scimconf token`: generate tokens, list them, and change the token file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scimconf.cli import completion, options, variables
from scimconf.cli.help import OUTPUT, PASSWORDS, Argument
from scimconf.cli.options import FileOptions, VaultOptions
from scimconf.cli.streams import err, out
from scimconf.run.options import SourceOptions
from scimconf.secret import Secret
from scimconf.tokens import generate

if TYPE_CHECKING:
    from scimconf.inventory.still_encrypted import StillEncrypted

CHARSETS = ("ascii_62", "ascii_50", "hex")

_OF_NEW = (
    options.option(
        "--entropy",
        type=click.IntRange(1),
        metavar="BITS",
        help="Set the bits of randomness.  [default: 256, with --phrase 128]",
    ),
    options.option(
        "--length",
        type=click.IntRange(1),
        metavar="N",
        help="Set the number of characters, instead of --entropy.",
    ),
    options.option(
        "--charset",
        type=click.Choice(CHARSETS),
        metavar="CHARSET",
        help="Use ascii_62 (letters and digits), ascii_50 (no look-alikes) or hex.  "
        "[default: ascii_62]",
    ),
    options.option("--phrase", is_flag=True, help="Generate words, which are easier to type."),
    options.option(
        "--count",
        type=click.IntRange(1, 10_000),
        metavar="N",
        default=1,
        help="Generate N tokens.  [default: 1]",
    ),
)


def _of_new(command: Any) -> Any:
    """Declare the options of `token new`, which `token` alone has as well."""
    for declare in reversed(_OF_NEW):
        command = declare(command)
    return command


@options.group("token", invoke_without_command=True)
@_of_new
@click.pass_context
def command(context: click.Context, /, **asked: Any) -> None:
    """Generate bearer tokens, list them, or change the token file.

    Without a subcommand: the same as token new.
    """
    if context.invoked_subcommand is None:
        variables.check()
        _print_new(**asked)
        return
    for name in asked:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} belongs to token new, not to token {context.invoked_subcommand}"
            )


@command.command("new")
@_of_new
def new(**asked: Any) -> None:
    """Generate strong bearer tokens.

    Prints one token per line. By default a token has 43 letters and digits (256 bits). Less than
    119 bits (20 letters and digits) is refused.
    """
    _print_new(**asked)


def _print_new(
    entropy: int | None, length: int | None, charset: str | None, phrase: bool, count: int
) -> None:
    if phrase and (length is not None or charset is not None):
        raise click.UsageError("--phrase takes --entropy, but not --length or --charset")
    if entropy is not None and length is not None:
        raise click.UsageError("--entropy and --length exclude each other: give one of them")
    for _ in range(count):
        if phrase:
            token = generate.phrase(entropy or 128)
        else:
            token = generate.generate(entropy or 256, length, charset or "ascii_62")
        out(token.reveal())


@command.command("list")
@options.pattern
@options.source
@options.older_than("List", " Exit with 2 if there is one.")
@options.option(
    "--format",
    "form",
    section=OUTPUT,
    variable=False,
    type=click.Choice(["text", "json"]),
    metavar="FORMAT",
    default="text",
    help="Print text or json.  [default: text]",
)
def list_(
    pattern: tuple[str, ...],
    source: SourceOptions,
    older_than: timedelta | None,
    form: str,
) -> int:
    """List the age, strength and place of each token.

    Prints one line for each realm. Contacts no server and needs no password. Without PATTERN,
    entries of the token file that the inventory does not name are listed, too.
    """
    from scimconf.cli.person import Terminal
    from scimconf.report import tokens
    from scimconf.run.tokens import listed

    result = listed(source, pattern, older_than, Terminal())
    if form == "json":
        out(tokens.as_json(result.rows, result.exit_code), end="")
    else:
        out(tokens.as_text(result.rows), end="")
        if not result.rows:
            err("no token is that old" if older_than else "no realm and no token to list")
    return result.exit_code


@command.command("move")
@click.argument(
    "old",
    cls=Argument,
    metavar="OLD",
    text="Move from this deployment, or from its realm: DEPLOYMENT/REALM.",
    shell_complete=completion.places,
)
@click.argument(
    "new",
    cls=Argument,
    metavar="NEW",
    text="Move to this deployment or realm.",
    shell_complete=completion.places,
)
@options.token_file
@options.vault
def move(old: str, new: str, files: FileOptions, vault: VaultOptions) -> None:
    """Move tokens to the new name of a server, deployment or realm.

    An entry of the token file is valid at its own place only, so a move needs the vault password.
    Staged and previous tokens move along. A deployment is a scim_deployment, else a host name.
    DEPLOYMENT/ is its root realm. Contacts no server.
    """
    from scimconf.cli.person import Terminal
    from scimconf.run.start import passwords
    from scimconf.run.tokens import move as carry_out
    from scimconf.tokens.moving import named

    source = SourceOptions(files.inventory, (), files.tokens)
    given = passwords(source, Terminal(vault, changes=True), encrypts=False)
    moves, left_out = carry_out(source, old, new, given)
    for before, after in moves.items():
        if after in left_out:
            err(
                f"left out: {named(before)}: its token is in an external store, and apply "
                "records it again"
            )
        else:
            out(f"moved the token of {named(before)} to {named(after)}")


@command.command("rekey")
@options.token_file
@options.vault
@options.option(
    "--new-vault-id",
    section=PASSWORDS,
    variable=False,
    metavar="ID@SOURCE",
    help="Read the new password from SOURCE, and encrypt with the vault id ID.",
)
@options.option(
    "--new-vault-password-file",
    section=PASSWORDS,
    variable=False,
    type=options.FILE,
    metavar="FILE",
    help="Read the new password from a file or a program.",
)
def rekey(
    files: FileOptions,
    vault: VaultOptions,
    new_vault_id: str | None,
    new_vault_password_file: Path | None,
) -> None:
    """Encrypt the whole token file with another vault password.

    The tokens stay the same, so no server is contacted. Asks for the new password if no option
    names it. Staged, previous and removed tokens are included. A token of another vault id, for
    which no password is given, stays as it is.

    Only the token file changes. Other encrypted files and values of the inventory keep the old
    password. Messages name them, with the Ansible command that changes them.

    This does not help after a leak of the password, because the old password still decrypts old
    versions of the file, for example in git. Rotate the tokens instead.
    """
    from scimconf.cli.person import Terminal
    from scimconf.cli.vault_password import new_password
    from scimconf.run.start import passwords
    from scimconf.run.tokens import left_behind, path_of
    from scimconf.tokens.rekeying import rekey as rewrite

    source = SourceOptions(files.inventory, (), files.tokens)
    path = path_of(source)
    person = Terminal(vault, changes=True)
    old = passwords(source, person, encrypts=False)()
    vault_id, password = new_password(new_vault_id, new_vault_password_file)
    done = rewrite(path, old, password, vault_id)
    count = f"{done.changed} token{'' if done.changed == 1 else 's'}"
    out(f"{path}: {count} encrypted with the new password (vault id {vault_id})")
    for left, number in sorted(done.left.items()):
        err(
            f"left unchanged: {number} with the vault id {left}, which no given password decrypts; "
            f"to include {'it' if number == 1 else 'them'}, add --vault-id {left}@FILE"
        )
    words = list(person.password_options) or _own_option(old.values())
    if new_vault_id is not None:
        words += ["--new-vault-id", new_vault_id]
    elif new_vault_password_file is not None:
        words += ["--new-vault-password-file", str(new_vault_password_file)]
    _tell_what_is_left(left_behind(source, old, {vault_id: password}), words)


def _own_option(passwords: Iterable[Secret]) -> list[str]:
    """Return Ansible's option for the password file of `init`, if it was used."""
    from scimconf.run.own_password import NAME
    from scimconf.vault import Password

    sources = [each.source for each in passwords if isinstance(each, Password)]
    own = [each for each in sources if Path(each).name == NAME]
    return ["--vault-password-file", own[0]] if own else []


def _tell_what_is_left(left: StillEncrypted | None, options: Sequence[str]) -> None:
    """Print which files and values of the inventory keep the old password, with the next step."""
    command = shlex.join(("ansible-vault", "rekey", *options))
    if left is None:
        err(
            "files and values of the inventory that are encrypted with the old password keep it\n"
            f"  -> for whole files: {command} FILE...; encrypt single values again: ansible-vault "
            "encrypt_string"
        )
        return
    if left.files:
        names = ", ".join(left.files)
        which = shlex.join(left.files)
        err(f"these files keep the old password: {names}\n  -> now run: {command} {which}")
    if left.values:
        places = ", ".join(map(str, left.values))
        err(
            f"these values keep the old password: {places}\n"
            "  -> encrypt each of them again with the new password: ansible-vault encrypt_string"
        )


@command.command("migrate")
@click.argument(
    "file",
    cls=Argument,
    type=options.NEW_FILE,
    text="Convert this token file.",
)
@options.vault
def migrate(file: Path, vault: VaultOptions) -> None:
    """Convert a token file from format 1 to format 2.

    Format 2 binds each token to its deployment and realm. Needs every vault password of the file.

    Make sure that nobody has moved entries in the file: a token is bound to the place where it is
    found.
    """
    from scimconf.cli.vault_password import VaultPassword
    from scimconf.tokens.migration import migrate as rewrite

    elsewhere = rewrite(file, VaultPassword(vault)())
    out(f"{file} now has format 2")
    for deployment, realm in elsewhere:
        err(
            f"left out: realm {realm or '(root)'} of {deployment}: its token is in an external "
            "store, and apply records it again"
        )

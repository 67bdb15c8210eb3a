"""The options that verbs share, with Ansible's letters, and the value they arrive as."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from scimconf import consent
from scimconf.cli import completion
from scimconf.consent import NOTHING, Consent
from scimconf.run.options import ConnectionOptions, RolloutOptions, SourceOptions

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

_FILE = click.Path(path_type=Path)


def option(*names: str, variable: str, **settings: Any) -> Decorator:
    """Declare an option that SCIMCONF_`variable` stands for, too; --help names it."""
    return click.option(*names, envvar=f"SCIMCONF_{variable}", show_envvar=True, **settings)


@dataclass(frozen=True, slots=True)
class VaultOptions:
    """Where the vault passwords come from."""

    vault_password_file: Path | None
    ask_vault_pass: bool
    vault_id: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is printed, and how."""

    format: str
    verbose: int
    quiet: bool
    failed_hosts: Path | None = None
    report: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that will be written."""
        return (*self.report, self.failed_hosts) if self.failed_hosts else self.report


def _kinds_known(
    context: click.Context, parameter: click.Parameter, files: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Refuse a report whose name does not say what it is to be."""
    for file in files:
        if file.suffix not in (".html", ".md", ".xml"):
            problem = f"{str(file)!r} ends neither in .html nor in .md or .xml"
            raise click.BadParameter(problem, context, parameter)
    return files


class _Attached(click.Option):
    """An option whose value only `=` attaches: alone it means all, and takes no word behind it."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            end = args.index("--") if "--" in args else len(args)
            options = [f"{each}=all" if each in self.opts else each for each in args[:end]]
            return parse([*options, *args[end:]])

        parser.parse_args = parse_args

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (f"{self.opts[0]}[=KINDS]", record[1])


def _consent(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Consent:
    """Return what all of them together allow; refuse a kind that there is not."""
    try:
        return NOTHING.union(*map(consent.parse, given))
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


_SOURCE = (
    option(
        "-i",
        "--inventory",
        variable="INVENTORY",
        type=_FILE,
        multiple=True,
        help="Inventory file, folder, or - for stdin; may be given several times.  "
        "[default: inventory.yaml]",
    ),
    option(
        "-l",
        "--limit",
        variable="LIMIT",
        multiple=True,
        shell_complete=completion.patterns,
        help="Only these of the hosts: a pattern as Ansible's.",
    ),
    option(
        "--tokens",
        variable="TOKENS",
        type=_FILE,
        help="The token file.  [default: tokens.yaml beside the first inventory file]",
    ),
    option(
        "--allow-exec",
        variable="ALLOW_EXEC",
        cls=_Attached,
        multiple=True,
        callback=_consent,
        shell_complete=completion.consent_or_patterns,
        help="Allow the inventory to run programs on this machine: local (ansible_connection: "
        "local), inventory (sources that are programs; links that lead out of group_vars and "
        "host_vars) or proxy (its proxy commands); a list with commas, or nothing for all.",
    ),
)
_VAULT = (
    option(
        "--vault-id",
        variable="VAULT_ID",
        multiple=True,
        metavar="LABEL@SOURCE",
        help="The vault password of an id: from a file, a program, or prompt; may be given several "
        "times, and new values are encrypted under the first.",
    ),
    option(
        "--vault-password-file",
        variable="VAULT_PASSWORD_FILE",
        type=_FILE,
        help="File that holds (or program that prints) the vault password.",
    ),
    option(
        "--ask-vault-pass",
        variable="ASK_VAULT_PASS",
        is_flag=True,
        help="Ask for the vault password.",
    ),
)
_CONNECTION = (
    option(
        "-f",
        "--forks",
        variable="FORKS",
        type=click.IntRange(1, 1000),
        metavar="N",
        default=20,
        show_default=True,
        help="Servers at a time.",
    ),
    option("-u", "--user", variable="USER", help="Log in as this user."),
    option("-k", "--ask-pass", variable="ASK_PASS", is_flag=True, help="Ask for the SSH password."),
    option(
        "-b", "--become", variable="BECOME", is_flag=True, help="Become another user with sudo."
    ),
    option(
        "--become-user",
        variable="BECOME_USER",
        help="Become this user.  [default: the server's zulip_user]",
    ),
    option(
        "-K",
        "--ask-become-pass",
        variable="ASK_BECOME_PASS",
        is_flag=True,
        help="Ask for the sudo password.",
    ),
    option(
        "--private-key", variable="PRIVATE_KEY", type=_FILE, help="Log in with this private key."
    ),
    option(
        "--known-hosts",
        variable="KNOWN_HOSTS",
        type=_FILE,
        help="The servers' host keys.  [default: as ssh has it, ~/.ssh/known_hosts]",
    ),
    option(
        "--accept-new-host-keys",
        variable="ACCEPT_NEW_HOST_KEYS",
        is_flag=True,
        help="Trust and remember the key of a server that known_hosts does not have; "
        "a changed key is refused all the same.",
    ),
    option(
        "--retries",
        variable="RETRIES",
        type=click.IntRange(0, 20),
        metavar="N",
        default=0,
        show_default=True,
        help="Try a server that is not reached so many times more, after 1, 2, 4, ... seconds.",
    ),
    option(
        "--time-limit",
        variable="TIME_LIMIT",
        type=click.FloatRange(0, 86400, min_open=True),
        metavar="SECONDS",
        help="Hang up on a server after so long (without it, a look has 60 seconds).",
    ),
)
_ROLLOUT = (
    option(
        "--order",
        variable="ORDER",
        type=click.Choice(
            ["inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"]
        ),
        default="inventory",
        show_default=True,
        help="Which servers come first.",
    ),
    option(
        "--serial",
        variable="SERIAL",
        metavar="SIZES",
        help="Change so many servers, then the next, as long as none fails: 5, 25% or 1,5,25%.",
    ),
    option(
        "--canary",
        variable="CANARY",
        type=click.IntRange(1),
        metavar="N",
        help="Change N servers first, and the others if none of them fails.",
    ),
    option(
        "--max-fail",
        variable="MAX_FAIL",
        metavar="N",
        help="Begin no more servers once more than so many, or 10%, have failed.",
    ),
)
_OUTPUT = (
    option(
        "--format",
        variable="FORMAT",
        type=click.Choice(["text", "json", "junit", "github"]),
        default="text",
        show_default=True,
        help="json: docs/json.md; junit, and github for its Actions: docs/ci/.",
    ),
    option(
        "-v",
        "--verbose",
        variable="VERBOSE",
        count=True,
        help="Show every step and its time; -vvv: what SSH does, too.",
    ),
    option("-q", "--quiet", variable="QUIET", is_flag=True, help="No progress, no warnings."),
    option(
        "--failed-hosts",
        variable="FAILED_HOSTS",
        type=_FILE,
        help="Write the servers that failed, or were not begun, into this file, for --limit @FILE.",
    ),
    option(
        "--report",
        variable="REPORT",
        type=click.Path(path_type=Path, dir_okay=False),
        multiple=True,
        callback=_kinds_known,
        metavar="FILE",
        help="Write what came of it into a file, too (0600, no token in it): .html, a page for a "
        "browser; .md, for a comment; .xml, JUnit's. May be given several times.",
    ),
)


def _gathered(name: str, kind: type, options: tuple[Decorator, ...]) -> Decorator:
    """Declare options and hand them to the verb as one frozen value of `kind`."""

    def decorate(command: Command) -> Command:
        def call(**values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields(kind)}
            return command(**values, **{name: kind(**own)})

        decorated: Command = functools.update_wrapper(call, command)
        for declare in reversed(options):
            decorated = declare(decorated)
        return decorated

    return decorate


source = _gathered("source", SourceOptions, _SOURCE)
vault = _gathered("vault", VaultOptions, _VAULT)
connection = _gathered("connection", ConnectionOptions, _CONNECTION)
rollout = _gathered("rollout", RolloutOptions, _ROLLOUT)
output = _gathered("output", OutputOptions, _OUTPUT)
pattern: Decorator = click.argument("pattern", nargs=-1, shell_complete=completion.patterns)
"""Hosts and groups as Ansible's; all where there is none."""


def _as_string_ids(
    _context: click.Context, _parameter: click.Parameter, realms: tuple[str, ...]
) -> tuple[str, ...]:
    """Take "(root)", which is what reports call it, for the root realm."""
    return tuple("" if realm == "(root)" else realm for realm in realms)


realm: Decorator = option(
    "--realm",
    "realms",
    callback=_as_string_ids,
    variable="REALM",
    multiple=True,
    shell_complete=completion.realms,
    help='Only these realms; "" is the root.',
)
lock_timeout: Decorator = option(
    "--lock-timeout",
    variable="LOCK_TIMEOUT",
    type=click.IntRange(0, 86400),
    default=0,
    show_default=True,
    help="Seconds to wait for another run on a server; 0: refuse at once.",
)

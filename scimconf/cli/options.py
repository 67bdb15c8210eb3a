"""The options that several verbs share, with Ansible's letters, and the classes of their values."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from scimconf import consent
from scimconf.cli import completion
from scimconf.cli.help import (
    CONNECTION,
    OUTPUT,
    OWN,
    PASSWORDS,
    ROLLOUT,
    WORK,
    WORKERS,
    Argument,
    Group,
    Option,
    Verb,
)
from scimconf.cli.variables import PREFIX
from scimconf.consent import NOTHING, Consent
from scimconf.run import shard as shards
from scimconf.run.options import (
    ConnectionOptions,
    DeliveryOptions,
    RolloutOptions,
    SourceOptions,
)
from scimconf.run.shard import Shard

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

FILE = click.Path(path_type=Path)
NEW_FILE = click.Path(path_type=Path, dir_okay=False)


def option(
    *names: str,
    section: str = OWN,
    variable: bool = True,
    cls: type[Option] = Option,
    **settings: Any,
) -> Decorator:
    """Declare an option in a section of --help.

    The variable SCIMCONF_NAME sets it as well, unless `variable` is False: a variable must not
    agree to a change, print tokens, or choose what is done.
    """
    if variable:
        long = next(name for name in names if name.startswith("--"))
        name = long.partition("/")[0].removeprefix("--").replace("-", "_").upper()
        settings["envvar"] = f"{PREFIX}{name}"
    return click.option(*names, cls=cls, section=section, **settings)


def verb(name: str, **settings: Any) -> Callable[[Command], Verb]:
    """Declare a verb, or a subcommand of a verb."""
    return click.command(name, cls=Verb, **settings)


def group(name: str, **settings: Any) -> Callable[[Command], Group]:
    """Declare a verb that has subcommands."""
    return click.group(name, cls=Group, **settings)


@dataclass(frozen=True, slots=True)
class VaultOptions:
    """Where the vault passwords come from."""

    vault_password_file: Path | None
    ask_vault_pass: bool
    vault_id: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Which token file to work on, without reading the inventory beside it."""

    inventory: tuple[Path, ...]
    tokens: Path | None


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is printed, and in which form."""

    format: str
    verbose: int
    quiet: bool
    failed_hosts: Path | None = None
    report: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that will be written."""
        return (*self.report, self.failed_hosts) if self.failed_hosts else self.report


def _known_reports(
    context: click.Context, parameter: click.Parameter, files: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Refuse a report whose file name ends in no known format."""
    for file in files:
        if file.suffix not in (".html", ".md", ".xml", ".prom"):
            problem = f"{str(file)!r} must end in .html, .md, .xml or .prom"
            raise click.BadParameter(problem, context, parameter)
    return files


class _Attached(Option):
    """An option whose value must follow `=`. Without a value it means "all".

    The next word of the command line is never its value.
    """

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Write `--allow-exec` as `--allow-exec=all` before click parses the line."""
        super().add_to_parser(parser, ctx)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            end = args.index("--") if "--" in args else len(args)
            options = [f"{each}=all" if each in self.opts else each for each in args[:end]]
            return parse([*options, *args[end:]])

        parser.parse_args = parse_args

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Show the value as optional."""
        record = super().get_help_record(ctx)
        return record and (f"{self.opts[0]}{self.metavar}", record[1])


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> Shard | None:
    """Return the share of the fleet that the option names."""
    return None if value is None else shards.parse(value, os.environ)


def _consent(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Consent:
    """Return the kinds that all values together allow. Refuse an unknown kind."""
    try:
        return NOTHING.union(*map(consent.parse, given))
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


_work = functools.partial(option, section=WORK)
_rollout = functools.partial(option, section=ROLLOUT)
_connection = functools.partial(option, section=CONNECTION)
_workers = functools.partial(option, section=WORKERS)
_passwords = functools.partial(option, section=PASSWORDS)
_output = functools.partial(option, section=OUTPUT)

_INVENTORY = _work(
    "-i",
    "--inventory",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Read this file, folder or - (stdin). Repeatable.  "
    "[default: as ansible.cfg says, or hosts, ...]",
)
_TOKENS = _work(
    "--tokens",
    type=FILE,
    metavar="FILE",
    help="Use this token file.  [default: tokens.yaml beside the inventory]",
)
_SOURCE = (
    _INVENTORY,
    _work(
        "-l",
        "--limit",
        multiple=True,
        metavar="PATTERN",
        shell_complete=completion.patterns,
        help="Limit the run to hosts that match this Ansible-style pattern, or to those in @FILE.",
    ),
    _work(
        "-e",
        "--extra-vars",
        multiple=True,
        variable=False,
        metavar="VARS",
        help="Set variables, over all others: KEY=VALUE, JSON, or @FILE (YAML). Repeatable.",
    ),
    _TOKENS,
    _work(
        "--allow-exec",
        cls=_Attached,
        metavar="[=KINDS]",
        multiple=True,
        callback=_consent,
        shell_complete=completion.consent_or_patterns,
        help="Allow programs that the inventory names: all, local, inventory, proxy or become.",
    ),
)
_FILES = (_INVENTORY, _TOKENS)
_SHARD = _work(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Work on shard I of N only. auto reads both from GitLab, auto/N reads I in Kubernetes.",
)
_VAULT = (
    _passwords(
        "--vault-id",
        multiple=True,
        metavar="ID@SOURCE",
        help="Read the password of this vault id from a file, a program or a prompt. Repeatable.",
    ),
    _passwords(
        "--vault-password-file",
        "--vault-pass-file",
        type=FILE,
        metavar="FILE",
        help="Read the vault password from this file, or from the output of this program.",
    ),
    _passwords(
        *("-J", "--ask-vault-pass", "--ask-vault-password"),
        is_flag=True,
        help="Ask for the vault password.",
    ),
)
_CONNECTION = (
    _connection(
        "-f",
        "--forks",
        type=click.IntRange(1, 1000),
        metavar="N",
        default=20,
        help="Work on up to N servers at the same time.  [default: 20]",
    ),
    _connection(
        "-u", "--user", metavar="USER", help="Log in as this user if the inventory names no user."
    ),
    _connection(
        "--private-key",
        type=FILE,
        metavar="FILE",
        help="Log in with this private key if the inventory names no key.",
    ),
    _connection(
        "-b",
        "--become",
        is_flag=True,
        help="Become another user after login, with sudo if the inventory names no method.",
    ),
    _connection(
        "--become-user",
        metavar="USER",
        help="Become this user if the inventory names no user.  [default: zulip_user]",
    ),
    _connection(
        "--known-hosts",
        type=FILE,
        metavar="FILE",
        help="Read the servers' host keys from this file.  [default: as ssh does]",
    ),
    _connection(
        "--accept-new-host-keys",
        is_flag=True,
        help="Trust and store the key of an unknown server. A changed key is still refused.",
    ),
    _connection(
        "--retries",
        type=click.IntRange(0, 20),
        metavar="N",
        default=0,
        help="Retry an unreachable server up to N times.  [default: 0]",
    ),
    _connection(
        "--look-timeout",
        type=click.FloatRange(0, 86400, min_open=True),
        metavar="SECONDS",
        help="Wait this long for a server to report its state.  [default: 60]",
    ),
    _passwords("-k", "--ask-pass", is_flag=True, help="Ask for the SSH password."),
    _passwords(
        "--connection-password-file",
        "--conn-pass-file",
        type=FILE,
        metavar="FILE",
        help="Read the SSH password from this file or program.",
    ),
    _passwords("-K", "--ask-become-pass", is_flag=True, help="Ask for the sudo or su password."),
    _passwords(
        "--become-password-file",
        "--become-pass-file",
        type=FILE,
        metavar="FILE",
        help="Read the sudo password from this file or program.",
    ),
)
_WORKERS = (
    _workers(
        "--scheduler",
        metavar="ADDRESS",
        help="Do the work on the workers of this Dask scheduler: tls://HOST:8786.",
    ),
    _workers(
        "--scheduler-ca",
        type=FILE,
        metavar="FILE",
        help="Trust a scheduler whose certificate is from this CA.",
    ),
    _workers(
        "--scheduler-cert",
        type=FILE,
        metavar="FILE",
        help="Show this certificate to the scheduler.",
    ),
    _workers(
        "--scheduler-key",
        type=FILE,
        metavar="FILE",
        help="Use this private key for the certificate.",
    ),
    _workers(
        "--zone-keys",
        type=FILE,
        metavar="FOLDER",
        help="Use the public keys of the workers' zones in this folder: ZONE.pub.",
    ),
)
_ROLLOUT = (
    _rollout(
        "--serial",
        metavar="SIZES",
        help="Change servers in batches of this size: 5, 25% or 1,5,25%.",
    ),
    _rollout(
        "--canary",
        type=click.IntRange(1),
        metavar="N",
        help="Change N servers first. Change the others only if none of these fails.",
    ),
    _rollout(
        "--max-fail",
        metavar="N",
        help="Leave the remaining servers unchanged once more than N (or N%) have failed.",
    ),
)
_DELIVERY = (
    _connection(
        "--idp-host",
        multiple=True,
        metavar="HOST",
        help="Allow tokens to go to this identity provider. Repeatable.  [default: .idp-hosts]",
    ),
)
_OUTPUT = (
    _output(
        "--format",
        type=click.Choice(["text", "json", "junit", "github"]),
        metavar="FORMAT",
        default="text",
        help="Print the result as text, json, junit or github (GitHub Actions).  [default: text]",
    ),
    _output(
        "--report",
        type=NEW_FILE,
        multiple=True,
        callback=_known_reports,
        help="Also write a report (.html, .md, .xml or .prom) without tokens. Repeatable.",
    ),
    _output(
        "--failed-hosts",
        type=FILE,
        metavar="FILE",
        help="Write failed and skipped servers to FILE, for --limit @FILE.",
    ),
    _output(
        "-v",
        "--verbose",
        count=True,
        help="Show every step and its time. -vvv also shows the SSH log.",
    ),
    _output("-q", "--quiet", is_flag=True, help="Print no progress and no warnings."),
)


_LOGIN_PASSWORDS = (
    ("ask_pass", "connection_password_file", "ANSIBLE_CONNECTION_PASSWORD_FILE"),
    ("ask_become_pass", "become_password_file", "ANSIBLE_BECOME_PASSWORD_FILE"),
)
"""Two options that exclude each other, and Ansible's variable, which counts if none is given."""


def _one_source(given: dict[str, Any]) -> dict[str, Any]:
    """Leave one source of each login password. The command line overrides the environment.

    Raises UsageError if the command line has both options, as in Ansible.
    """
    context = click.get_current_context()
    chosen = dict(given)
    for asks, file, variable in _LOGIN_PASSWORDS:
        if not given[asks] and not given[file]:
            found = os.environ.get(variable)
            chosen[file] = Path(found).expanduser() if found else None
        elif given[asks] and given[file]:
            typed = [context.get_parameter_source(name) is _TYPED for name in (asks, file)]
            if all(typed):
                raise click.UsageError(
                    f"--{asks} and --{file} exclude each other: give one".replace("_", "-")
                )
            chosen |= {asks: False} if typed[1] else {file: None}
    return chosen


_TYPED = click.core.ParameterSource.COMMANDLINE


def _gathered(
    name: str,
    kind: type,
    options: tuple[Decorator, ...],
    check: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Decorator:
    """Declare options, and pass them to the verb as one value of the dataclass `kind`."""

    def decorate(command: Command) -> Command:
        def call(**values: Any) -> Any:
            known = (field.name for field in fields(kind) if field.name in values)
            own = check({name: values.pop(name) for name in known})
            return command(**values, **{name: kind(**own)})

        decorated: Command = functools.update_wrapper(call, command)
        for declare in reversed(options):
            decorated = declare(decorated)
        return decorated

    return decorate


source = _gathered("source", SourceOptions, _SOURCE)
sharded_source = _gathered("source", SourceOptions, (*_SOURCE, _SHARD))
token_file = _gathered("files", FileOptions, _FILES)
vault = _gathered("vault", VaultOptions, _VAULT)
connection = _gathered("connection", ConnectionOptions, _CONNECTION, _one_source)
delivery = _gathered("delivery", DeliveryOptions, _DELIVERY)
spread_connection = _gathered(
    "connection", ConnectionOptions, (*_CONNECTION, *_WORKERS), _one_source
)
rollout = _gathered("rollout", RolloutOptions, _ROLLOUT)
output = _gathered("output", OutputOptions, _OUTPUT)
pattern: Decorator = click.argument(
    "pattern",
    cls=Argument,
    nargs=-1,
    metavar="[PATTERN]...",
    text="Select hosts and groups as Ansible does.  [default: all]",
    shell_complete=completion.patterns,
)


def _as_string_ids(
    _context: click.Context, _parameter: click.Parameter, realms: tuple[str, ...]
) -> tuple[str, ...]:
    """Replace "(root)", the name of the root realm in reports, by its subdomain, ""."""
    return tuple("" if realm == "(root)" else realm for realm in realms)


def _age(context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Parse an age: a number of days or weeks."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([dw])", value, re.ASCII)
    if not found:
        message = f"{value!r} is not an age; write for example 90d or 12w"
        raise click.BadParameter(message, context, parameter)
    return timedelta(days=int(found[1]) * (7 if found[2] == "w" else 1))


def _email(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no plain email address: it becomes a part of requests."""
    if value is not None and not re.fullmatch(_EMAIL, value, re.ASCII):
        message = f"{value!r} is not an email address; write for example scim-test@example.com"
        raise click.BadParameter(message, context, parameter)
    return value


_EMAIL = r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+"


def _period(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> timedelta | None:
    """Parse a period: a number of minutes, hours or days."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([mhd])", value, re.ASCII)
    if not found or not int(found[1]):
        message = f"{value!r} is not a period; write for example 90m, 12h or 3d"
        raise click.BadParameter(message, context, parameter)
    return timedelta(minutes=int(found[1]) * {"m": 1, "h": 60, "d": 1440}[found[2]])


wait: Decorator = option(
    "--wait",
    "minutes",
    variable=False,
    type=click.IntRange(1, 1440),
    metavar="MINUTES",
    help="Wait up to MINUTES for the first good request of each identity provider.",
)
test_user: Decorator = option(
    "--test-user",
    variable=False,
    callback=_email,
    metavar="EMAIL",
    help="Create, change and deactivate this user in each realm. A deactivated account stays.",
)
silent_for: Decorator = option(
    "--silent-for",
    callback=_period,
    metavar="PERIOD",
    help="Also exit with 2 if no request was accepted for longer than this: 90m, 12h, 3d.",
)


def older_than(verb: str, more: str = "") -> Decorator:
    """Declare --older-than; `verb`: what happens to the older tokens."""
    return option(
        "--older-than",
        callback=_age,
        metavar="AGE",
        help=f"{verb} only tokens older than this: 90d, 12w.{more}",
    )


realm: Decorator = _work(
    "--realm",
    "realms",
    callback=_as_string_ids,
    multiple=True,
    metavar="REALM",
    shell_complete=completion.realms,
    help='Limit the run to this realm. "" is the root realm. Repeatable.',
)
diff: Decorator = _output(
    "--diff", is_flag=True, help="Show the change of each file as a diff, tokens masked."
)
yes: Decorator = option(
    "-y", "--yes", variable=False, is_flag=True, help="Do not ask before the first change."
)
show_tokens: Decorator = _output(
    "--show-tokens",
    variable=False,
    is_flag=True,
    help="Print tokens in clear text. Needs the vault password.",
)
lock_timeout: Decorator = _rollout(
    "--lock-timeout",
    type=click.IntRange(0, 86400),
    metavar="SECONDS",
    default=0,
    help="Wait this long for another run on a server to end.  [default: 0]",
)

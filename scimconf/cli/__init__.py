"""The command line: one small file per verb, which parses, calls and prints.

This is the only place where an exception becomes a message and an exit code. A verb is imported
when it is called, and imports what it needs when it runs: `--help` and `token` stay fast.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module

import click

from scimconf import __version__, startup
from scimconf.cli.streams import err
from scimconf.cli.undumpable import make_undumpable
from scimconf.cli.variables import take_vault_password
from scimconf.errors import ExitCode, ScimconfError, Stopped, bug
from scimconf.sanitize import sanitize

STEPS = {
    "Start": {
        "init": "Write a first inventory, or extend an Ansible inventory.",
        "import": "Import the existing SCIM configuration of servers.",
    },
    "Look": {
        "inventory": "Check, list or draw the inventory.",
        "render": "Print the SCIM_CONFIG block of a host, or edit files.",
        "plan": "Show what apply would change.",
        "verify": "Check the public SCIM URLs as the identity provider would.",
        "status": "Show whether the identity providers get in.",
        "report": "Merge the reports of several runs.",
    },
    "Change": {
        "apply": "Configure the servers as the inventory says.",
        "undo": "Roll back the last change of each server.",
        "recover": "Roll back changes that were interrupted.",
    },
    "Tokens": {
        "token": "Generate bearer tokens, list them, or change the token file.",
        "rotate": "Replace bearer tokens with new ones.",
        "deliver": "Deliver tokens to identity providers that have an API.",
        "handoff": "Print a hand-off sheet for the identity provider of each realm.",
    },
    "Read": {
        "help": "Print a page of the documentation.",
    },
}
"""The verbs and what each does: `scimconf --help` imports none of them."""
_MODULES = {"import": "import_", "help": "topics"}
"""The modules that cannot have the name of their verb: a keyword of Python, and `help`, which lays
out --help."""
VERBS = tuple(verb for verbs in STEPS.values() for verb in verbs)


class _Verbs(click.Group):
    """The verbs. Each one is the `command` of its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command: click.Command = import_module(f"scimconf.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add the nearest verb to click's "No such command"."""
        unknown = args and args[0] not in VERBS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:  # no message while a shell completes a line
            near = get_close_matches(args[0], VERBS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Commands: {', '.join(VERBS)}."
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by step, each on one line."""
        width = max(map(len, VERBS))
        for step, verbs in STEPS.items():
            with formatter.section(step):
                formatter.write_dl([(f"{verb:{width}}", verbs[verb]) for verb in verbs])


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success, 1 failed, 2 changes pending, 3 unreachable, 4 rolled back, "
    "5 rollback failed, 64 wrong usage or inventory, 130 interrupted. More: scimconf help "
    "exit-codes",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def scimconf() -> None:
    """Configure SCIM on Zulip servers from one inventory."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit. The console script calls this."""
    startup.collect_rarely()
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # None if it was closed at the start
            stream.flush()
    startup.leave(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    make_undumpable()
    take_vault_password()
    try:
        code = scimconf.main(arguments, prog_name="scimconf", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        _complain(_in_our_form(error))
        return ExitCode.USAGE
    except Stopped as stop:
        err(stop.message)
        return stop.exit_code
    except ScimconfError as error:
        _complain(error)
        return error.exit_code
    except OSError as error:
        # click prints help pages itself. A full disk is not a bug.
        full = error.errno == errno.ENOSPC and not error.filename
        unwritten = ScimconfError(f"cannot write the output: {error.strerror}")
        _complain(unwritten if full else bug(error))
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt) as stop:
        err(str(stop) or "\ninterrupted")  # a question may stand on the line
        return ExitCode.INTERRUPTED
    except Exception as error:
        _complain(bug(error))
        return ExitCode.FAILED
    return code if isinstance(code, int) else ExitCode.OK


_PLAIN = {
    r"is not a valid integer range\b": "is not a whole number",
    r"is not in the range (\d+)<=x<=(\d+)": r"is not between \1 and \2",
    r"is not in the range x>=(\d+)": r"is less than \1",
}
"""What click says about a number, and plain words for it."""


def _in_our_form(error: click.ClickException) -> ScimconfError:
    message = error.format_message()
    for click_says, plain in _PLAIN.items():
        message = re.sub(click_says, plain, message)
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return ScimconfError(
        message[:1].lower() + message[1:].removesuffix("."),
        f"see: {command or 'scimconf'} --help",
    )


def _complain(error: ScimconfError) -> None:
    err(sanitize(error.text, 20_000))

"""The command line: one small file per verb, which parses, calls and prints, and nothing else.

This is the only place where an exception becomes a message and an exit code. Verbs are imported
when they are called, and each imports what it needs when it runs: `--help` and `token` stay
instant.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword

import click

from scimconf import __version__
from scimconf.cli.streams import err
from scimconf.cli.undumpable import make_undumpable
from scimconf.cli.vault_password import withhold
from scimconf.errors import ExitCode, ScimconfError, bug

VERBS = (
    *("init", "import", "token", "inventory", "render"),
    *("plan", "apply", "verify", "rotate", "undo", "recover", "handoff"),
)


class _Verbs(click.Group):
    """The verbs, each in the module of its name, in the order in which a newcomer needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"scimconf.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add the nearest verb to click's "No such command"."""
        unknown = args and args[0] not in VERBS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:  # a shell that completes a line is told nothing
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(VERBS)}."
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 converged, 1 failed, 2 changes pending, 3 unreachable, 4 rolled back, "
    "5 rolling back failed, 64 wrong usage or inventory, 130 interrupted.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def scimconf() -> None:
    """Keep the SCIM configuration of a fleet of Zulip servers as one inventory says."""


_SELDOM = 50_000
"""Objects between two looks for cycles. With Python's 700 (2,000 from 3.13 on) those looks are a
tenth of a start, and find nothing: it imports."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit; the console script's entry point."""
    gc.set_threshold(_SELDOM)
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # None: closed before we began
            stream.flush()
    # At once: taking everything down takes Python a tenth of a plan, and after Ctrl-C it would
    # wait for threads that still talk to servers.
    os._exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give its exit code."""
    make_undumpable()
    withhold()
    try:
        code = scimconf.main(arguments, prog_name="scimconf", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        _complain(_in_our_words(error))
        return ExitCode.USAGE
    except ScimconfError as error:
        _complain(error)
        return error.exit_code
    except OSError as error:
        full = error.errno == errno.ENOSPC and not error.filename  # click's own text: a help page
        said = ScimconfError(f"cannot write the output: {error.strerror}")
        _complain(said if full else bug(error))
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt) as stop:
        err(str(stop) or "\ninterrupted")  # a question may stand on this line
        return ExitCode.INTERRUPTED
    except Exception as error:
        _complain(bug(error))
        return ExitCode.FAILED
    return code if isinstance(code, int) else ExitCode.OK


def _in_our_words(error: click.ClickException) -> ScimconfError:
    message = error.format_message()
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return ScimconfError(
        message[:1].lower() + message[1:].removesuffix("."),
        f"see: {command or 'scimconf'} --help",
    )


def _complain(error: ScimconfError) -> None:
    from scimconf.foreign import harmless

    err(harmless(error.text, 20_000))

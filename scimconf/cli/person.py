"""The person at this terminal. Questions and messages go to stderr, results go to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

import click

from scimconf.cli import question, variables
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.streams import err
from scimconf.cli.terminal import terminal
from scimconf.cli.vault_password import VaultPassword, ask
from scimconf.fleet.watcher import Watcher
from scimconf.model import Problem
from scimconf.report.no_progress import NoProgress
from scimconf.report.progress import LineProgress, LiveProgress
from scimconf.run.own_password import OwnPassword
from scimconf.secret import Secret
from scimconf.tokens.keyring import Passwords

NO_VAULT = VaultOptions(None, False)


class Terminal:
    """The Person (`scimconf.run.person`) at the terminal that started the program."""

    approve = staticmethod(question.ask)
    check_variables = staticmethod(variables.check)
    confirm = staticmethod(question.confirm)
    must_answer = staticmethod(question.may_ask)
    secret = staticmethod(ask)
    tell = staticmethod(err)

    def __init__(
        self,
        vault: VaultOptions = NO_VAULT,
        output: OutputOptions | None = None,
        *,
        changes: bool = False,
    ) -> None:
        """`changes`: the verb changes something, so it may use the password file of `init`."""
        self._vault = vault
        self._changes = changes
        self._output = output
        self._quiet = output is not None and output.quiet

    @property
    def can_answer(self) -> bool:
        return sys.stdin.isatty()

    @property
    def password_options(self) -> tuple[str, ...]:
        vault = self._vault
        words = [word for each in vault.vault_id for word in ("--vault-id", each)]
        if vault.vault_password_file:
            words += ["--vault-password-file", str(vault.vault_password_file)]
        return (*words, "--ask-vault-pass") if vault.ask_vault_pass else tuple(words)

    def warn(self, text: str | Problem) -> None:
        if not self._quiet:
            err(text.text("warning") if isinstance(text, Problem) else f"warning: {text}")

    def progress(self, *, steps: bool) -> AbstractContextManager[Watcher]:
        """Return live progress on a terminal; in a log, a line per server, with -v per step."""
        verbose = self._output is not None and self._output.verbose > 0
        lines = steps or verbose
        watched = getattr(sys.stderr, "isatty", bool)()  # None if it was closed at the start
        if self._quiet or not (lines or watched):
            return NoProgress()
        console = terminal(stderr=True)
        if console.is_interactive and watched:  # rich takes a pipe for a terminal with FORCE_COLOR
            return LiveProgress(console)
        return LineProgress(console, steps=verbose) if lines else NoProgress()

    def answer_server(self, text: str) -> Secret:
        """Ask the person a question of a server or a jump host (only with -k)."""
        return Secret(click.prompt(text, hide_input=True, err=True))

    def vault_passwords(
        self, known_ids: Callable[[], Collection[str]] | None, own: OwnPassword | None = None
    ) -> Passwords:
        return VaultPassword(self._vault, known_ids, own, uses_own=self._changes, quiet=self._quiet)

"""The interface to the person at the terminal: questions, passwords, progress."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from scimconf.fleet.watcher import Watcher
from scimconf.model import Outcome, Problem, Reference
from scimconf.run.own_password import OwnPassword
from scimconf.secret import Secret
from scimconf.tokens.keyring import Passwords


class Person(Protocol):
    """A person who reads messages and answers questions. The program uses
    `scimconf.cli.person.Terminal`."""

    @property
    def can_answer(self) -> bool:
        """Whether there is a terminal to ask on."""
        ...

    @property
    def password_options(self) -> tuple[str, ...]:
        """The options of this run that say where the vault passwords come from."""
        ...

    def tell(self, line: str) -> None:
        """Print a line that is not part of the results."""
        ...

    def warn(self, text: str | Problem) -> None:
        """Print a warning, unless `--quiet` is given."""
        ...

    def check_variables(self) -> None:
        """Raise UsageError for environment variables with misspelt names.

        Call it after the inventory is loaded, because it may refer to variables.
        """
        ...

    def progress(self, *, steps: bool) -> AbstractContextManager[Watcher]:
        """Show progress during `with`. `steps`: a log gets a line for each step."""
        ...

    def must_answer(self, verb: str) -> None:
        """Raise UsageError if there is no terminal to ask on."""
        ...

    def approve(
        self,
        verb: str,
        what: str,
        outcomes: Sequence[Outcome],
        *,
        diff: bool,
        in_batches: str = "",
        references: Mapping[Reference, str] = ...,
    ) -> None:
        """Show the plan and ask for consent. Raises Stopped for a no."""
        ...

    def confirm(self, question: str) -> None:
        """Ask a yes/no question. Raises Stopped for a no."""
        ...

    def secret(self, what: str, instead: str) -> Secret:
        """Ask for a secret. Without a terminal, raises UsageError with the hint `instead`."""
        ...

    def answer_server(self, question: str) -> Secret:
        """Ask a question of a server or a jump host at the login. Threads call this."""
        ...

    def vault_passwords(
        self, known_ids: Callable[[], Collection[str]] | None, own: OwnPassword | None = None
    ) -> Passwords:
        """Return a function that gets the vault passwords when they are needed.

        `known_ids`: the vault ids in the token file. The password of any other id is asked for
        twice. None: nothing will be encrypted. `own`: the file that a verb which changes something
        may use without an option.
        """
        ...

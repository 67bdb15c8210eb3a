"""The person at the terminal, as a run needs one: questions, passwords, progress."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from scimconf.fleet.watcher import Watcher
from scimconf.model import Outcome, Problem, Reference
from scimconf.secret import Secret
from scimconf.tokens.keyring import Passwords


class Person(Protocol):
    """Somebody to tell and to ask. The program uses `scimconf.cli.person.Terminal`."""

    @property
    def can_answer(self) -> bool:
        """Whether there is a terminal to ask on."""
        ...

    def tell(self, line: str) -> None:
        """Print a line beside the results."""
        ...

    def warn(self, text: str | Problem) -> None:
        """Print a warning, unless the person wants to see results only."""
        ...

    def check_variables(self) -> None:
        """Raise UsageError for environment variables with misspelt names.

        Called after the inventory is loaded: variables that it refers to are known then.
        """
        ...

    def progress(self, *, steps: bool) -> AbstractContextManager[Watcher]:
        """Show the progress of what happens in `with`; `steps`: each step is worth a line."""
        ...

    def must_answer(self, verb: str) -> None:
        """Raise UsageError where there is no terminal to ask on."""
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
        """Show what is to be done and ask whether to do it; raises Stopped for a no."""
        ...

    def confirm(self, question: str) -> None:
        """Ask a question; raises Stopped for a no."""
        ...

    def secret(self, what: str, instead: str) -> Secret:
        """Ask for a secret; raises UsageError, with `instead` as its hint, without a terminal."""
        ...

    def answer_server(self, question: str) -> Secret:
        """Pass on what a server or a jump host asks at the login; called from a thread."""
        ...

    def vault_passwords(self, known_ids: Callable[[], Collection[str]] | None) -> Passwords:
        """Return what gets the vault passwords when they are needed.

        `known_ids`: the vault ids that the token file's values have; the password of another id is
        asked for twice. None: nothing is going to be encrypted.
        """
        ...

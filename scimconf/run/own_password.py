"""The vault password that `init` makes: `.vault-password` beside the inventory."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scimconf.secret import Secret
from scimconf.tokens.store import TokenFile

NAME = ".vault-password"


@dataclass(frozen=True, slots=True)
class OwnPassword:
    """The place of the password, which may have no file, and the tokens that it should decrypt."""

    path: Path
    load: Callable[[], TokenFile]

    @property
    def option(self) -> str:
        """The option that names the file."""
        return f"--vault-password-file {shlex.quote(str(self.path))}"

    @property
    def token_file(self) -> Path:
        """The path of the token file."""
        return self.load().path

    def decrypts(self, password: Secret) -> bool | None:
        """Return whether the password decrypts every token of the file; None if there is none."""
        return self.load().is_opened_by(password)

"""How the login user becomes the user that runs the agent: directly, with sudo or with su."""

from __future__ import annotations

from typing import Protocol

from scimconf.errors import HostError
from scimconf.model import Connection, Paths
from scimconf.ssh.su import Su
from scimconf.ssh.sudo import Sudo


class Become(Protocol):
    """A program that changes the user, and may ask for a password first."""

    @property
    def marker(self) -> str:
        """A random word that we make the program write to stderr. It is not shown to people."""

    def words(self) -> tuple[str, ...]:
        """Return the argv that stands before the agent's own argv. It contains no secret."""

    def prompts(self, stderr: bytes) -> int:
        """Count how often the program has asked for a password."""

    def refusal(self, stderr: str) -> HostError | None:
        """Return the error for a message of the program; None if the message is not known."""

    def no_password(self) -> HostError:
        """Return the error for a prompt when there is no password to send."""

    def wrong_password(self) -> HostError:
        """Return the error for a second prompt. The password is sent only once."""


def find_become(connection: Connection, paths: Paths, login: str, marker: str) -> Become | None:
    """Return the program that changes the user, or None if none is needed.

    For a root login none is needed: the start command changes to Zulip's user (command.py).
    """
    if not connection.become or login in ("root", connection.become_user, paths.user):
        return None
    kind = Su if connection.become_method == "su" else Sudo
    return kind(marker, login, connection.become_user)

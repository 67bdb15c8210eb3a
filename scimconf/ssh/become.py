"""The way to the zulip user: whether another program stands before the agent, and which."""

from __future__ import annotations

from typing import Protocol

from scimconf.errors import HostError
from scimconf.model import Connection, Paths
from scimconf.ssh.su import Su
from scimconf.ssh.sudo import Sudo


class Become(Protocol):
    """A program that makes us another user, and may want a password first."""

    @property
    def marker(self) -> str:
        """A word of ours in its stderr, not to be shown."""

    def words(self) -> tuple[str, ...]:
        """Give the argv that the agent's own argv follows. Nothing in it is secret."""

    def prompts(self, stderr: bytes) -> int:
        """Count how often it has asked for a password."""

    def refusal(self, stderr: str) -> HostError | None:
        """Say what its complaint means and what to do; None if it is not one that is known."""

    def no_password(self) -> HostError:
        """It asks, and there is nothing to answer."""

    def wrong_password(self) -> HostError:
        """It asks a second time, or gives up: the password was sent once and not again."""


def find_become(connection: Connection, paths: Paths, login: str, marker: str) -> Become | None:
    """Give what stands between the login user and the agent, if anything does.

    Not for root: the agent drops root by itself (DESIGN.md).
    """
    if not connection.become or login in ("root", connection.become_user, paths.user):
        return None
    kind = Su if connection.become_method == "su" else Sudo
    return kind(marker, login, connection.become_user)

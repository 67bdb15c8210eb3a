"""What an identity provider must do for a delivery. Each provider is one file with a subclass.

The order is: check, pause, (Zulip changes,) set, test, resume. Each step can be repeated: to finish
a run that died, do all steps again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from scimconf.errors import ScimconfError
from scimconf.sanitize import one_line
from scimconf.secret import Secret, hides_secret, redact


class IdpError(ScimconfError):
    """An identity provider refused a step, or did not answer."""

    def __init__(
        self, message: str, hint: str = "", *, unknown: bool = False, final: bool = False
    ) -> None:
        """`unknown`: the provider may have done what was asked; its answer was lost. `final`: to
        ask again does not help.
        """
        super().__init__(message, hint)
        self.unknown = unknown
        self.final = final


class NotSupportedError(IdpError):
    """The provider has no such step, for example no way to pause. In `check`: it takes no token."""


def shown(said: object, limit: int = 160) -> str:
    """Return what a provider said, safe to print. Mask secrets first: a part would not be found."""
    text = redact(str(said))
    if hides_secret(text):
        return "its words are not shown, because they contain a secret"
    return one_line(text, limit)


@dataclass(frozen=True, slots=True)
class Target:
    """The realm whose token is delivered."""

    deployment: str
    realm: str
    base_url: str
    """What the provider's field for the SCIM URL needs."""

    @property
    def label(self) -> str:
        """The realm in a sentence."""
        return f"realm {self.realm or '(root)'} of {self.deployment}"


class Idp(ABC):
    """One identity provider, for one realm. Every method raises IdpError.

    The returned texts are for people. They are sanitized, and have no secret.
    """

    @abstractmethod
    def check(self) -> bool:
        """Sign in, and make sure that the token can be set there. Change nothing.

        Return whether provisioning is paused already, for example by an administrator. Raises
        NotSupportedError if the provider takes no token from a program.
        """

    @abstractmethod
    def pause(self) -> str:
        """Pause provisioning, and wait until a running cycle has ended.

        Raises NotSupportedError if the provider cannot be paused.
        """

    @abstractmethod
    def set(self, token: Secret) -> str:
        """Set the URL and the token."""

    @abstractmethod
    def test(self) -> str:
        """Let the provider send a request to Zulip with its URL and token.

        Raises NotSupportedError if it cannot.
        """

    @abstractmethod
    def resume(self) -> str:
        """Start provisioning again. If it runs already, do nothing."""

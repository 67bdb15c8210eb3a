"""How the login user becomes the user that runs the agent: the base of sudo and su."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from scimconf.errors import HostError
from scimconf.sanitize import one_line
from scimconf.ssh import fixed_path

_OPEN = "scimconf: not only root can replace"
_MISSING = "scimconf: no such program"
_CHECK = (
    f'[ -x "$1" ] || {{ echo "{_MISSING}: $1" >&2; exit 127; }}; '
    'for p in / "$1" "$(readlink -f "$1" || echo -)"; do until [ -z "$p" ]; do '
    'case "$(set -- $(ls -ldnL "$p"); echo "$1 $3")" in ?????w*|????????w*) ;; '
    '*" 0") p="${p%/*}"; continue;; esac; '
    f'echo "{_OPEN} $p" >&2; exit 126; done; done; '
    f'PATH={fixed_path.USUAL}; exec "$@"'
)
"""Runs a program only if it and all folders on the way to it, also behind links, belong to root and
nobody else can write them. The program may get a password. Only root can replace what is checked,
so it is still the same when it starts."""


@dataclass(frozen=True, slots=True)
class Become(ABC):
    """A program that changes the user, and may ask for a password first.

    Messages and hints may contain {login}, {sudoer} (the login as sudoers writes it), {user} and
    {program}, and {place}, which a pattern finds.
    """

    marker: str
    """A random word that we make the program write to stderr. It is not shown to people."""
    login: str
    user: str
    program: tuple[str, ...] = ()
    """The words that the inventory calls it by, if they are not its usual name."""
    flags: tuple[str, ...] = ()
    """Further options of the inventory."""
    allowed: bool = False
    """Whether the inventory may name any program (`--allow-exec=become`)."""

    name: ClassVar[str]
    refusals: ClassVar[tuple[tuple[str, str, str], ...]]
    """A pattern for the program's stderr, the message and the hint. The first match counts."""
    missing: ClassVar[tuple[str, str]]
    """Message and hint for a prompt when there is no password to send."""
    wrong: ClassVar[tuple[str, str]]
    """Message and hint for a second prompt. The password is sent only once."""

    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """Return the argv that comes before the agent's own argv. It contains no secret."""

    @abstractmethod
    def prompts(self, stderr: bytes) -> int:
        """Count how often the program has asked for a password."""

    def call(self) -> tuple[str, ...]:
        """Return the words that start the program, without its options.

        It speaks English, and is looked up in fixed folders. If the inventory names its path, the
        server checks first that only root can replace the program.
        """
        program = self.program or (self.name,)
        env = (f"PATH={fixed_path.USUAL}", "LC_ALL=", "LC_MESSAGES=C")
        if "/" not in program[0] or self.allowed:
            return ("/usr/bin/env", *env, *program)
        # -i: a shell function of the login user must not replace a program of the check.
        env = (f"PATH={fixed_path.SYSTEM}", "LC_ALL=", "LC_MESSAGES=C")
        return ("/usr/bin/env", "-i", *env, "/bin/sh", "-c", _CHECK, "scimconf", *program)

    def refusal(self, stderr: str) -> HostError | None:
        """Return the error for a message of the program; None if the message is not known."""
        for pattern, message, hint in (*_REFUSALS, *self.refusals):
            if found := re.search(pattern, stderr, re.IGNORECASE | re.MULTILINE):
                named = found.groupdict()
                return self._error(message, hint, one_line(named.get("place", ""), 120))
        return None

    def no_password(self) -> HostError:
        """Return the error for a prompt when there is no password to send."""
        return self._error(*self.missing)

    def wrong_password(self) -> HostError:
        """Return the error for a second prompt."""
        return self._error(*self.wrong)

    def _error(self, message: str, hint: str, place: str = "") -> HostError:
        names = {
            "login": self.login,
            "sudoer": re.sub(r"([!=:,()\\])", r"\\\1", self.login),
            "user": self.user,
            "place": place,
            "program": " ".join(self.program) or self.name,
        }
        return HostError("become", message.format(**names), hint.format(**names))


_REFUSALS = (
    (
        f"^{_OPEN} (?P<place>[^\n]*)",
        "users other than root can replace {program} on the server ({place}), so it was not called",
        "make the program and its folders writable for root only, remove ansible_become_exe, or "
        "add --allow-exec=become",
    ),
    (
        # Only the messages of env and of the check: sudo also uses these words for other files.
        rf"^{_MISSING}|^(?:/usr/bin/)?env: .*(no such file|not found|unknown command)",
        "{program} is not installed on the server",
        "install it, or name another one with ansible_become_exe; or log in as {user} "
        "(ansible_user: {user}) or as root",
    ),
)

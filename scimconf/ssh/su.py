"""su: it asks for the password of the user to change to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scimconf.errors import HostError
from scimconf.ssh import fixed_path

_PROMPT = re.compile(rb"pass(?:word|phrase|code)[^\r\n:]{0,80}: ?", re.IGNORECASE)
_MARK = 'printf %s "$1" >&2; shift; exec "$@"'

# The messages of util-linux, shadow and busybox. The command sets the language to English.
_REFUSALS: tuple[tuple[str, str], ...] = (
    (r"must be (run|used) from a (terminal|tty)|not a tty", "terminal"),
    (r"su.*(no such file|not found)", "no su"),
    (r"does not exist|unknown (user|id)|no passwd entry", "unknown user"),
    (r"permission denied|not authori[sz]ed", "not allowed"),
    (r"account.*expired|password.*expired|have to change", "account"),
    (r"authentication (failure|token)|incorrect password|su: sorry", "wrong password"),
)


@dataclass(frozen=True, slots=True)
class Su:
    """How to call su, and what its messages mean.

    Its prompt "Password:" cannot be changed, and a shell profile could print the same. So the
    command prints a marker first: text after the marker comes from su.
    """

    marker: str
    login: str
    user: str

    def words(self) -> tuple[str, ...]:
        """See Become. Without a terminal, su reads the password from stdin, one line."""
        env = ("/usr/bin/env", f"PATH={fixed_path.USUAL}", "LC_ALL=", "LC_MESSAGES=C")
        su = ("su", "-s", "/bin/sh", "-c", 'exec "$0" "$@"', "--", self.user)
        return ("/bin/sh", "-c", _MARK, "sh", self.marker, *env, *su)

    def prompts(self, stderr: bytes) -> int:
        """See Become."""
        _, marker, behind = stderr.partition(self.marker.encode())
        return len(_PROMPT.findall(behind)) if marker else 0

    def refusal(self, stderr: str) -> HostError | None:
        """See Become."""
        kinds = (kind for pattern, kind in _REFUSALS if re.search(pattern, stderr, re.IGNORECASE))
        match next(kinds, None):
            case "terminal":
                return HostError(
                    "become",
                    "su on the server needs a terminal, and that would show the password",
                    self._instead,
                )
            case "no su":
                return HostError("become", "su is not installed on the server", self._instead)
            case "unknown user":
                return HostError(
                    "become",
                    f"su on the server does not know the user {self.user}",
                    "set ansible_become_user to root, or to the user that owns Zulip",
                )
            case "not allowed":
                return HostError(
                    "become",
                    f"su does not allow {self.login} to become {self.user} on the server",
                    f"pam_wheel may allow it to one group only; {self._instead}",
                )
            case "account":
                return HostError(
                    "become",
                    f"su accepts the password, but not the account {self.user} (expired?)",
                    f"log in as {self.login} by hand and run: su {self.user} -c true",
                )
            case "wrong password":
                return self.wrong_password()
        return None

    @property
    def _instead(self) -> str:
        return (
            f"use ansible_become_method: sudo, or log in as {self.user} (ansible_user: {self.user})"
        )

    def no_password(self) -> HostError:
        """See Become."""
        return HostError(
            "become",
            f"su asks for the password of {self.user}, and none was given",
            "use -K or ansible_become_password, or ansible_become_method: sudo",
        )

    def wrong_password(self) -> HostError:
        """See Become."""
        return HostError(
            "become",
            f"su did not accept the password of {self.user}; it was sent once",
            f"check -K or ansible_become_password: su needs the password of {self.user}, not of "
            f"{self.login}",
        )

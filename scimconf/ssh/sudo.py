"""sudo: it asks for the password of the login user."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scimconf.errors import HostError
from scimconf.ssh import fixed_path


def sudoers_line(login: str, user: str) -> str:
    """Return the line for /etc/sudoers.d that lets `login` become `user` without a password."""
    return f"{login} ALL=({user}) NOPASSWD: ALL"


# The messages of sudo's sources. The command sets the language to English.
_REFUSALS: tuple[tuple[str, str], ...] = (
    (r"you must have a tty to run sudo|sorry, you must have a tty", "requiretty"),
    (r"is not in the sudoers file", "not in sudoers"),
    (r"is not allowed to (execute|run sudo)|may not run sudo", "not allowed"),
    (r"a password is required|no password was provided", "password needed"),
    (r"incorrect password attempt|sorry, try again|authentication failure", "wrong password"),
    (r"account validation failure|password expired|account.*expired", "account"),
    (r"unknown user|unable to initialize policy plugin", "unknown user"),
    (r"sudo.*(no such file|not found|unknown command)", "no sudo"),
)


@dataclass(frozen=True, slots=True)
class Sudo:
    """How to call sudo, and what its messages mean."""

    marker: str
    """Its prompt."""
    login: str
    user: str

    def words(self) -> tuple[str, ...]:
        """See Become. With `-k` sudo forgets an earlier password, so it asks always or never."""
        env = ("/usr/bin/env", f"PATH={fixed_path.USUAL}", "LC_ALL=", "LC_MESSAGES=C")
        return (*env, "sudo", "-H", "-S", "-k", "-p", self.marker, "-u", self.user, "--")

    def prompts(self, stderr: bytes) -> int:
        """See Become."""
        return stderr.count(self.marker.encode())

    def refusal(self, stderr: str) -> HostError | None:
        """See Become."""
        login, user = self.login, self.user
        kinds = (kind for pattern, kind in _REFUSALS if re.search(pattern, stderr, re.IGNORECASE))
        add = f'add a file to /etc/sudoers.d (with visudo -f): "{sudoers_line(login, user)}"'
        match next(kinds, None):
            case "requiretty":
                return HostError(
                    "become",
                    "sudo needs a terminal on the server (requiretty); it would show the password",
                    f'add to sudoers (with visudo): "Defaults:{login} !requiretty"',
                )
            case "not in sudoers":
                return HostError("become", f"{login} is not in the sudoers file", add)
            case "not allowed":
                return HostError(
                    "become", f"sudo does not allow {login} to run /bin/sh as {user}", add
                )
            case "password needed":
                return self.no_password()
            case "wrong password":
                return self.wrong_password()
            case "account":
                return HostError(
                    "become",
                    f"sudo accepts the password of {login}, but not the account (expired?)",
                    f"log in as {login} by hand and run: sudo -u {user} true",
                )
            case "unknown user":
                return HostError(
                    "become",
                    f"sudo on the server does not know the user {user}",
                    "set ansible_become_user, or zulip_user, to the user that owns Zulip",
                )
            case "no sudo":
                return HostError(
                    "become",
                    "sudo is not installed on the server",
                    f"log in as {user} (ansible_user: {user}) or as root, or install sudo",
                )
        return None

    def no_password(self) -> HostError:
        """See Become."""
        return HostError(
            "become",
            f"sudo asks for the password of {self.login}, and none was given",
            "use -K or ansible_become_password, or allow sudo without a password: "
            f'"{sudoers_line(self.login, self.user)}"',
        )

    def wrong_password(self) -> HostError:
        """See Become."""
        return HostError(
            "become",
            f"sudo did not accept the password of {self.login}; it was sent once",
            f"check -K or ansible_become_password: sudo needs the password of {self.login}",
        )

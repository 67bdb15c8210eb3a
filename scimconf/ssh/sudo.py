"""sudo: it asks for the password of the login user."""

from __future__ import annotations

from typing import ClassVar

from scimconf.ssh import fixed_path
from scimconf.ssh.become import Become

_RULE = '"{login} ALL=({user}) NOPASSWD: ALL"'
_ADD_RULE = f"add a file to /etc/sudoers.d (with visudo -f): {_RULE}"
_NO_PASSWORD = (
    "sudo asks for the password of {login}, and none was given",
    f"use -K or ansible_become_password, or allow sudo without a password: {_RULE}",
)
_WRONG_PASSWORD = (
    "sudo did not accept the password of {login}; it was sent once",
    "check -K or ansible_become_password: sudo needs the password of {login}",
)


class Sudo(Become):
    """How to call sudo, and what its messages mean."""

    __slots__ = ()
    missing: ClassVar = _NO_PASSWORD
    wrong: ClassVar = _WRONG_PASSWORD
    # The messages of sudo's sources. The command sets the language to English.
    refusals: ClassVar = (
        (
            r"you must have a tty to run sudo|sorry, you must have a tty",
            "sudo needs a terminal on the server (requiretty); it would show the password",
            'add to sudoers (with visudo): "Defaults:{login} !requiretty"',
        ),
        (r"is not in the sudoers file", "{login} is not in the sudoers file", _ADD_RULE),
        (
            r"is not allowed to (execute|run sudo)|may not run sudo",
            "sudo does not allow {login} to run /bin/sh as {user}",
            _ADD_RULE,
        ),
        (r"a password is required|no password was provided", *_NO_PASSWORD),
        (
            r"incorrect password attempt|sorry, try again|authentication failure",
            *_WRONG_PASSWORD,
        ),
        (
            r"account validation failure|password expired|account.*expired",
            "sudo accepts the password of {login}, but not the account (expired?)",
            "log in as {login} by hand and run: sudo -u {user} true",
        ),
        (
            r"unknown user|unable to initialize policy plugin",
            "sudo on the server does not know the user {user}",
            "set ansible_become_user, or zulip_user, to the user that owns Zulip",
        ),
        (
            r"sudo.*(no such file|not found|unknown command)",
            "sudo is not installed on the server",
            "log in as {user} (ansible_user: {user}) or as root, or install sudo",
        ),
    )

    def words(self) -> tuple[str, ...]:
        """See Become. With `-k` sudo forgets an earlier password, so it asks always or never."""
        env = ("/usr/bin/env", f"PATH={fixed_path.USUAL}", "LC_ALL=", "LC_MESSAGES=C")
        return (*env, "sudo", "-H", "-S", "-k", "-p", self.marker, "-u", self.user, "--")

    def prompts(self, stderr: bytes) -> int:
        """See Become. The marker is the prompt."""
        return stderr.count(self.marker.encode())

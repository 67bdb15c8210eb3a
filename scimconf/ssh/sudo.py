"""sudo: it asks for the password of the login user."""

from __future__ import annotations

from typing import ClassVar

from scimconf.ssh.become import Become

_RULE = '"{sudoer} ALL=({user}) NOPASSWD: ALL"'
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
    """How to call sudo or sudo-rs, and what their messages mean.

    sudo-rs shows the prompt as `[sudo: PROMPT] Password:`.
    """

    __slots__ = ()
    name: ClassVar = "sudo"
    missing: ClassVar = _NO_PASSWORD
    wrong: ClassVar = _WRONG_PASSWORD
    # The messages of the sources of sudo and sudo-rs (src/common/error.rs, src/pam/error.rs). The
    # command sets the language to English.
    refusals: ClassVar = (
        (
            r"you must have a tty to run sudo|sorry, you must have a tty",
            "sudo needs a terminal on the server (requiretty); it would show the password",
            'add to sudoers (with visudo): "Defaults:{sudoer} !requiretty"',
        ),
        (
            r"is not in the sudoers file|i'm afraid i can't do that",
            "{login} is not in the sudoers file, or no rule there lets it run /bin/sh as {user}",
            _ADD_RULE,
        ),
        (
            r"is not allowed to (execute|run sudo)|may not run",
            "sudo does not allow {login} to run /bin/sh as {user}",
            _ADD_RULE,
        ),
        (
            r"a password is required|no password was provided|interactive authentication is "
            r"required|interaction is required|authentication required but not attempted|"
            r"a terminal is required to authenticate",
            *_NO_PASSWORD,
        ),
        (
            r"account validation failure|password (is )?expired|account.*expired",
            "sudo accepts the password of {login}, but not the account (expired?)",
            "log in as {login} by hand and run: sudo -u {user} true",
        ),
        (
            r"incorrect (password|authentication) attempt|sorry, try again|"
            r"authentication fail(ure|ed)",
            *_WRONG_PASSWORD,
        ),
        (
            r"unknown user|unable to initialize policy plugin|sudo\S*: user '.*' not found",
            "sudo on the server does not know the user {user}",
            "set ansible_become_user, or zulip_user, to the user that owns Zulip",
        ),
        (
            r"unable to change directory to|you are not allowed to use '--chdir",
            "sudo cannot change to the folder that sudoers names for {login} (runcwd, or CWD=)",
            "correct the folder in sudoers (with visudo), or create it on the server",
        ),
        (
            r"must be owned by uid 0 and have the setuid bit|effective uid is not 0|"
            r"no new privileges",
            "sudo on the server cannot become root: it has no setuid bit, or runs in a restricted "
            "container or service",
            "log in as {user} (ansible_user: {user}) or as root, or reinstall sudo",
        ),
        (
            r"sudoers file not found|invalid configuration|no valid sudoers sources|syntax error",
            "sudo on the server cannot read its sudoers file",
            "run visudo -c on the server",
        ),
        (
            r"(invalid|unrecognized|unknown|illegal) option",
            "{program} on the server does not know an option that scimconf or ansible_become_flags "
            "needs",
            "update it, or name another sudo with ansible_become_exe (sudo.ws, sudo-rs)",
        ),
    )

    def words(self) -> tuple[str, ...]:
        """See Become. With `-k` sudo forgets an earlier password, so it asks always or never."""
        own = ("-H", "-S", "-k", "-p", self.marker)
        return (*self.call(), *own, *self.flags, "-u", self.user, "--")

    def prompts(self, stderr: bytes) -> int:
        """See Become. The marker is the prompt."""
        return stderr.count(self.marker.encode())

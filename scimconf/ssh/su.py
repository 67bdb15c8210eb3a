"""su: it asks for the password of the user to change to."""

from __future__ import annotations

import re
from typing import ClassVar

from scimconf.ssh.become import Become

_PROMPT = re.compile(rb"pass(?:word|phrase|code)[^\r\n:]{0,80}: ?", re.IGNORECASE)
_MARK = 'printf %s "$1" >&2; shift; exec "$@"'
_INSTEAD = "use ansible_become_method: sudo, or log in as {user} (ansible_user: {user})"
_WRONG_PASSWORD = (
    "su did not accept the password of {user}; it was sent once",
    "check -K or ansible_become_password: su needs the password of {user}, not of {login}",
)


class Su(Become):
    """How to call su, and what its messages mean.

    Its prompt "Password:" cannot be changed, and a shell profile could print the same. So the
    command prints the marker first: text after the marker comes from su.
    """

    __slots__ = ()
    name: ClassVar = "su"
    missing: ClassVar = (
        "su asks for the password of {user}, and none was given",
        "use -K or ansible_become_password, or ansible_become_method: sudo",
    )
    wrong: ClassVar = _WRONG_PASSWORD
    # The messages of util-linux, shadow, busybox and sudo-rs. The command sets the language to
    # English.
    refusals: ClassVar = (
        (
            r"must be (run|used) from a (terminal|tty)|not a tty",
            "su on the server needs a terminal, and that would show the password",
            _INSTEAD,
        ),
        (
            r"does not exist|unknown (user|id)|no passwd entry|su\S*: user '.*' not found",
            "su on the server does not know the user {user}",
            "set ansible_become_user to root, or to the user that owns Zulip",
        ),
        (
            r"permission denied|not authori[sz]ed",
            "su does not allow {login} to become {user} on the server",
            f"pam_wheel may allow it to one group only; {_INSTEAD}",
        ),
        (
            r"account.*expired|password.*expired|have to change",
            "su accepts the password, but not the account {user} (expired?)",
            "log in as {login} by hand and run: su {user} -c true",
        ),
        (
            r"authentication (failure|failed|token)|incorrect password|su: sorry|"
            r"incorrect authentication attempt",
            *_WRONG_PASSWORD,
        ),
    )

    def words(self) -> tuple[str, ...]:
        """See Become. Without a terminal, su reads the password from stdin, one line."""
        su = ("-s", "/bin/sh", "-c", 'exec "$0" "$@"', *self.flags, "--", self.user)
        return ("/bin/sh", "-c", _MARK, "sh", self.marker, *self.call(), *su)

    def prompts(self, stderr: bytes) -> int:
        """See Become."""
        _, marker, after = stderr.partition(self.marker.encode())
        return len(_PROMPT.findall(after)) if marker else 0

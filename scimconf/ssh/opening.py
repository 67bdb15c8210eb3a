"""The start of the command, up to the ready line: what to send, and what went wrong. No I/O."""

from __future__ import annotations

import re
import shlex
from enum import Enum

from scimconf.errors import HostError
from scimconf.sanitize import one_line
from scimconf.ssh.become import Become

OLDEST_PYTHON = (3, 8)
_MOST_CHATTER = 1 << 20
_MOST_STDERR = 1 << 16


class Move(Enum):
    """What to send next."""

    WAIT = "wait"
    SEND_PASSWORD = "send password"  # noqa: S105
    SEND_PROGRAM = "send program"


class Opening:
    """Read the output of a command that is starting, and decide what to send.

    Send the password only after stderr shows the prompt of sudo or su, and only once. Send the
    program only after stdout shows the ready line. Otherwise sudo would read the program as further
    password attempts, or the agent would read the password.
    """

    def __init__(
        self,
        nonce: str,
        become: Become | None,
        *,
        has_password: bool,
        login: str,
        user: str,
        zulip_user: str,
    ) -> None:
        self._ready = re.compile(
            rb"%s (?:ready (\d+)\.(\d+)\.(\d+)|(none|root|nobody))\r?\n" % nonce.encode()
        )
        self._become = become
        self._has_password = has_password
        self._password_sent = False
        self._login = login
        self._user = user
        self._zulip_user = zulip_user
        self._out = b""
        self._err = b""
        self.rest = b""
        """The stdout after the ready line."""

    def feed(self, out: bytes, err: bytes) -> Move:
        """Add new output and return the next move. Raises HostError if the start has failed."""
        self._out += out
        self._err = (self._err + err)[-_MOST_STDERR:]
        found = self._ready.search(self._out)
        if found:
            self.rest = self._out[found.end() :]
            self._check_start(found)
            return Move.SEND_PROGRAM
        if len(self._out) > _MOST_CHATTER:
            raise HostError(
                "start",
                "the server sent over 1 MiB before the agent's ready line: "
                f"{one_line(self._out, 120)}",
                f"check what the shell profile of {self._login} prints",
            )
        return self._answer()

    def _answer(self) -> Move:
        become = self._become
        prompts = become.prompts(self._err) if become else 0
        if become is None or prompts == 0 or (prompts == 1 and self._password_sent):
            return Move.WAIT
        if prompts > 1:
            raise become.wrong_password()
        if not self._has_password:
            raise become.no_password()
        self._password_sent = True
        return Move.SEND_PASSWORD

    def _check_start(self, found: re.Match[bytes]) -> None:
        """Raise HostError if the start command reports a problem, or the Python is too old."""
        match found[4]:
            case b"none":
                raise HostError(
                    "start",
                    f"{self._user} has no python3 on the server",
                    "check zulip_deployment, install python3, or set ansible_python_interpreter",
                )
            case b"root":
                raise HostError(
                    "start",
                    f"{self._zulip_user} has uid 0 on the server, and the agent never runs as root",
                    "set zulip_user to the user that owns Zulip (usually zulip)",
                )
            case b"nobody":
                raise HostError(
                    "start",
                    f"the server has no user {self._zulip_user}",
                    "set zulip_user to the user that owns Zulip (usually zulip)",
                )
        version = tuple(int(found[i]) for i in (1, 2, 3))
        if version < OLDEST_PYTHON:
            raise _too_old(".".join(map(str, version)))

    def ended(self, status: int | None) -> HostError:
        """Return the error for a command that ended before the ready line."""
        complaint = self._complaint()
        if "Unknown option: -I" in complaint:  # Python 2 ends before it runs anything
            return _too_old("2")
        if self._become and (known := self._become.refusal(complaint)):
            return known
        text = one_line(complaint or self._out)
        return HostError(
            "start",
            f"the agent did not start: the command exited with status {status}"
            + (f": {text}" if text else " and printed nothing"),
            f"check that {self._login} can run commands: "
            f"ssh {shlex.quote(f'{self._login}@SERVER')} true",
        )

    def timed_out(self, seconds: float) -> HostError:
        """Return the error for a command that shows no known prompt and no ready line in time."""
        text = one_line(self._complaint() or self._out[-300:])
        return HostError(
            "start",
            f"the agent did not start within {seconds:g} s"
            + (f"; the last output of the server: {text}" if text else ""),
            "check whether the shell profile waits for something"
            + (", or whether the password prompt has an unusual text" if self._become else ""),
        )

    def _complaint(self) -> str:
        err = self._err
        if self._become:
            err = err.replace(self._become.marker.encode(), b"")
        return err.decode("utf-8", "replace")


def _too_old(version: str) -> HostError:
    return HostError(
        "start",
        f"the Python on the server is {version}; scimconf's agent needs "
        f"{'.'.join(map(str, OLDEST_PYTHON))} or newer",
        "set ansible_python_interpreter to a newer Python",
    )

"""From the command to the agent's ready line: what to send when, and what went wrong. Pure."""

from __future__ import annotations

import re
from enum import Enum

from scimconf.errors import HostError
from scimconf.sanitize import one_line
from scimconf.ssh.become import Become

OLDEST_PYTHON = (3, 8)
_MOST_CHATTER = 1 << 20
_MOST_STDERR = 1 << 16


class Move(Enum):
    """What the controller does next."""

    WAIT = "wait"
    SEND_PASSWORD = "send password"  # noqa: S105
    SEND_PROGRAM = "send program"


class Opening:
    """Listens to a command that is starting, and decides (DESIGN.md, "sudo").

    Nothing may be sent before stderr shows the prompt of sudo or su (then the password, once) or
    stdout shows the ready line (then the program): otherwise a wrong password makes sudo take the
    program for the next two attempts, and without a prompt the agent would read the password.
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
        """What stood on stdout behind the ready line."""

    def feed(self, out: bytes, err: bytes) -> Move:
        """Take what came and give the next move. Raises HostError when it cannot go on."""
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
                "the server sent over 1 MiB before the agent's first line: "
                f"{one_line(self._out, 120)}",
                f"does the shell profile of {self._login} print without end?",
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
        """Raise HostError where the start line refused to go on, or the Python is too old."""
        match found[4]:
            case b"none":
                raise HostError(
                    "start",
                    f"there is no python3 on the server for {self._user}",
                    "is zulip_deployment right? Else install python3 or set "
                    "ansible_python_interpreter",
                )
            case b"root":
                raise HostError(
                    "start",
                    f"the agent never runs as root, and {self._zulip_user} has uid 0 on the server",
                    "set zulip_user to the user that owns Zulip (usually zulip)",
                )
            case b"nobody":
                raise HostError(
                    "start",
                    f"there is no user {self._zulip_user} on the server",
                    "set zulip_user to the user that owns Zulip (usually zulip)",
                )
        version = tuple(int(found[i]) for i in (1, 2, 3))
        if version < OLDEST_PYTHON:
            raise _too_old(".".join(map(str, version)))

    def ended(self, status: int | None) -> HostError:
        """Say why the command ended before the ready line; `status` is its exit code."""
        complaint = self._complaint()
        if "Unknown option: -I" in complaint:  # Python 2 ends here, before it runs anything
            return _too_old("2")
        if self._become and (known := self._become.refusal(complaint)):
            return known
        said = one_line(complaint or self._out)
        return HostError(
            "start",
            f"the command ended before the agent was there (exit {status})"
            + (f": {said}" if said else " and said nothing"),
            f"can {self._login} run commands there? Try: ssh {self._login}@SERVER true",
        )

    def silent(self, seconds: float) -> HostError:
        """Say that neither a prompt nor the ready line came in time."""
        said = one_line(self._complaint() or self._out[-300:])
        return HostError(
            "start",
            f"the agent was not there after {seconds:g} s"
            + (f"; the last the server said: {said}" if said else ""),
            "does the shell profile, or a password prompt in words of its own, wait there?"
            if self._become
            else "does the shell profile wait for something?",
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
        "set ansible_python_interpreter to a newer one",
    )

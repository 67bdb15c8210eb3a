"""The way to the zulip user: whether sudo is needed, and what its refusals mean."""

from __future__ import annotations

import re

from scimconf.errors import HostError
from scimconf.model import Connection, Paths


def needs_sudo(connection: Connection, paths: Paths, login: str) -> bool:
    """Decide whether sudo stands between the login user and the agent.

    Not for root: the agent drops root by itself (DESIGN.md). Raises HostError for `su`, which
    reads its password from a terminal, and scimconf never asks for one: it would echo.
    """
    if not connection.become or login in ("root", connection.become_user, paths.user):
        return False
    if connection.become_method == "su":
        raise HostError(
            "become",
            "su asks for its password on a terminal, and scimconf never opens one",
            "use ansible_become_method: sudo, or log in as "
            f"{connection.become_user} (ansible_user: {connection.become_user})",
        )
    return True


def sudoers_line(login: str, user: str) -> str:
    """Give the line for /etc/sudoers.d that lets `login` become `user` without a password."""
    return f"{login} ALL=({user}) NOPASSWD: ALL"


# sudo's sentences as its English sources have them; the command asks for English.
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


def refusal(stderr: str, login: str, user: str) -> HostError | None:
    """Say what sudo's complaint means and what to do; None if it is not one that is known."""
    kind = next((k for pattern, k in _REFUSALS if re.search(pattern, stderr, re.IGNORECASE)), None)
    add = f'add a file to /etc/sudoers.d (with visudo -f): "{sudoers_line(login, user)}"'
    match kind:
        case "requiretty":
            return HostError(
                "become",
                "sudo there wants a terminal (requiretty), which would echo the password",
                f'add to sudoers (with visudo): "Defaults:{login} !requiretty"',
            )
        case "not in sudoers":
            return HostError("become", f"{login} is not in the sudoers file", add)
        case "not allowed":
            return HostError(
                "become", f"sudo does not let {login} run /bin/sh as {user} there", add
            )
        case "password needed":
            return no_password(login, user)
        case "wrong password":
            return wrong_password(login)
        case "account":
            return HostError(
                "become",
                f"sudo accepts the password of {login}, but not the account (expired?)",
                f"log in as {login} by hand and run: sudo -u {user} true",
            )
        case "unknown user":
            return HostError(
                "become",
                f"sudo on the server cannot become {user}: is there such a user?",
                "set ansible_become_user, or zulip_user, to the user that owns Zulip",
            )
        case "no sudo":
            return HostError(
                "become",
                "there is no sudo on the server",
                f"log in as {user} (ansible_user: {user}), as root, or install sudo",
            )
    return None


def no_password(login: str, user: str) -> HostError:
    """sudo asks, and there is nothing to answer."""
    return HostError(
        "become",
        f"sudo wants the password of {login}, and none was given",
        "use -K or ansible_become_password, or let it go without one: "
        f'"{sudoers_line(login, user)}"',
    )


def wrong_password(login: str) -> HostError:
    """sudo asks a second time, or gives up: the password was sent once and not again."""
    return HostError(
        "become",
        f"sudo did not accept the password of {login}; it was sent once",
        "check -K or ansible_become_password (it is the password of the login user)",
    )

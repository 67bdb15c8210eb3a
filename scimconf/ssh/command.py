"""The one command that is run on a server, as words and as a line for any login shell."""

from __future__ import annotations

from scimconf.errors import HostError
from scimconf.model import Connection, Paths
from scimconf.ssh import fixed_path
from scimconf.ssh.become import Become
from scimconf.ssh.program import bootstrap

_CLEAN = (
    f"exec /usr/bin/env -i PATH={fixed_path.SYSTEM} "
    '"LOGIN_PATH=$PATH" "SSH_CONNECTION=$SSH_CONNECTION" "SUDO_USER=$SUDO_USER" '
    '/bin/sh -c "$6" sh "$@"'
)
"""Replaces the environment, PATH first. Both programs have a full path and `exec` cannot be
replaced by a function, so nothing that the login chose is run. Three variables stay, as data: the
agent reads from two of them who is at work, and LOGIN_PATH is for programs that it starts."""

_DROP = (
    'case "$(id -u)" in '
    "0) unset LOGIN_PATH; "
    'case "$(id -u -- "$3")" in '
    '0) echo "$2 root";; '
    '[1-9]*) exec runuser -u "$3" -- /bin/sh -c "$7" sh "$@";; '
    '*) echo "$2 nobody";; esac;; '
    '[1-9]*) exec /bin/sh -c "$7" sh "$@";; '
    '*) echo "$2 root";; esac; exit 126'
)
"""Makes root Zulip's user before anything that others could have written is run. Where the uid
cannot be found, it may be 0: refused, too."""

_CHOOSE = (
    'case "$(id -u)" in [1-9]*) ;; *) echo "$2 root"; exit 126;; esac; '
    f"cd /; PATH={fixed_path.USUAL}; "
    'for p in "$4/.venv/bin/python3" "$4/zulip-py3-venv/bin/python3" '
    '"$(command -v "$5")" "$(command -v python3)"; '
    'do [ -x "$p" ] || continue; PATH="${LOGIN_PATH:-$PATH}"; '
    'exec "$p" -I -S -B -u -c "$1" "$2" "$3"; done; '
    'echo "$2 none"; exit 127'
)
"""Chooses the Python, once it is certain again that this is not root: the deployment's own, whose
grammar is that of the Python that will run settings.py (docs/zulip.md says where it is), else
the inventory's, else any."""


def words(
    connection: Connection, paths: Paths, nonce: str, become: Become | None
) -> tuple[str, ...]:
    """Return the argv that starts the agent, by way of sudo or su if need be.

    Nothing in it is secret: everybody on the server can read it.
    """
    python = connection.python or ""
    if python.startswith("auto"):  # Ansible's word for "find one"
        python = ""
    arguments = (bootstrap(), nonce, paths.user, paths.deployment, python, _DROP, _CHOOSE)
    start = ("/bin/sh", "-c", _CLEAN, "sh", *arguments)
    return start if become is None else (*become.words(), *start)


def line(argv: tuple[str, ...]) -> str:
    """Give the words as one line that sh, bash, zsh, fish and csh all read back the same."""
    return " ".join(map(quote, argv))


def quote(word: str) -> str:
    """Put a word in single quotes.

    Inside them sh gives a meaning to the quote only, fish to the backslash too, csh to `!` and
    the newline: a word with one of these is refused (HostError), it could only be a strange path.
    """
    strange = set(word) & set("'\\!\r\n\0")
    if strange:
        raise HostError(
            "start",
            f"{word!r} cannot be sent through every login shell (it has {min(strange)!r})",
            "paths, user names and ansible_python_interpreter must do without it",
        )
    return f"'{word}'"

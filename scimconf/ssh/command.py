"""The one command that is run on a server, as words and as a line for any login shell."""

from __future__ import annotations

from scimconf.errors import HostError
from scimconf.model import Connection, Paths
from scimconf.ssh.become import Become
from scimconf.ssh.program import bootstrap

_DROP = (
    'if [ "$(id -u)" = 0 ]; then '
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; "
    'exec runuser -u "$3" -- /bin/sh -c "$6" sh "$@"; fi; '
    'exec /bin/sh -c "$6" sh "$@"'
)
"""Root becomes zulip before anything of zulip's is run: its Python and whatever that imports at
its start belong to zulip, who could put anything there. After su the PATH is still the login
user's, and root runs nothing of theirs either."""

_SCRIPT = (
    'cd /; for p in "$4/.venv/bin/python3" "$4/zulip-py3-venv/bin/python3" '
    '"$(command -v "$5")" "$(command -v python3)"; '
    'do [ -x "$p" ] && exec "$p" -I -S -B -u -c "$1" "$2" "$3"; done; '
    'echo "$2 none"; exit 127'
)
"""Chooses the Python: the deployment's own, whose grammar is that of the Python that will run
settings.py (where each Zulip keeps it: ZULIP.md), else the inventory's, else any."""


def words(
    connection: Connection, paths: Paths, nonce: str, become: Become | None
) -> tuple[str, ...]:
    """Give the argv that starts the agent, by way of sudo or su if need be.

    Nothing in it is secret: everybody on the server can read it.
    """
    python = connection.python or ""
    if python.startswith("auto"):  # Ansible's word for "find one"
        python = ""
    arguments = (bootstrap(), nonce, paths.user, paths.deployment, python, _SCRIPT)
    start = ("/bin/sh", "-c", _DROP, "sh", *arguments)
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

"""The one command that runs on a server: as a list of words, and as a line for any login shell."""

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
"""Replaces the environment, PATH first. Both programs have a full path, and no shell function can
replace `exec`; so the login user cannot choose what runs. Three variables stay, as data: two tell
the agent which person runs it, and LOGIN_PATH is for programs that the agent starts."""

_DROP = (
    'case "$(id -u)" in '
    "0) unset LOGIN_PATH; "
    'case "$(id -u -- "$3")" in '
    '0) echo "$2 root";; '
    '[1-9]*) exec runuser -u "$3" -- /bin/sh -c "$7" sh "$@";; '
    '*) echo "$2 nobody";; esac;; '
    '[1-9]*) eval "$8";; '
    '*) echo "$2 root";; esac; exit 126'
)
"""Changes from root to Zulip's user before any program runs that a user of the server could have
written. If the uid cannot be read, it may be 0; so that is refused too."""

_CHECK = 'case "$(id -u)" in [1-9]*) eval "$8";; *) echo "$2 root"; exit 126;; esac'
"""Runs after runuser: checks again that the user is not root."""

_CHOOSE = (
    f"cd /; PATH={fixed_path.USUAL}; "
    'p="$4/.venv/bin/python3"; '
    '[ -x "$p" ] || p="$4/zulip-py3-venv/bin/python3"; '
    '[ -x "$p" ] || p="$(command -v "$5")"; '
    '[ -x "$p" ] || p="$(command -v python3)"; '
    'if [ -x "$p" ]; then PATH="${LOGIN_PATH:-$PATH}"; '
    'exec "$p" -I -S -B -u -c "$1" "$2" "$3"; fi; '
    'echo "$2 none"; exit 127'
)
"""Chooses the Python: the deployment's own, because settings.py must parse with it (each Zulip
version keeps it elsewhere); else the one that the inventory names; else any python3."""


def words(
    connection: Connection, paths: Paths, nonce: str, become: Become | None
) -> tuple[str, ...]:
    """Return the argv that starts the agent, through sudo or su if needed.

    It contains no secret: every user of the server can read it.
    """
    python = connection.python or ""
    if python.startswith("auto"):  # Ansible's word for "find one"
        python = ""
    arguments = (bootstrap(), nonce, paths.user, paths.deployment, python, _DROP, _CHECK, _CHOOSE)
    start = ("/bin/sh", "-c", _CLEAN, "sh", *arguments)
    return start if become is None else (*become.words(), *start)


def line(argv: tuple[str, ...]) -> str:
    """Return the words as one line that sh, bash, zsh, fish and csh split into the same words."""
    return " ".join(map(quote, argv))


def quote(word: str) -> str:
    """Put a word in single quotes.

    Inside them only the quote is special in sh, the backslash too in fish, `!` and the line break
    too in csh. Raises HostError for a word with one of these; only an unusual path has them.
    """
    special = set(word) & set("'\\!\r\n\0")
    if special:
        raise HostError(
            "start",
            f"{word!r} contains {min(special)!r}, which not every login shell passes on unchanged",
            "change the path, the user name or ansible_python_interpreter",
        )
    return f"'{word}'"

"""Write SCIM_CONFIG as environment variables of docker-zulip; its entrypoint.sh writes the files.

One variable per line, as `docker run --env-file` and the `env_file` of docker compose read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scimconf.errors import ScimconfError, UsageError
from scimconf.zulip.expression import tree

SETTING = "SETTING_SCIM_CONFIG"
_PLAIN = re.compile(r"[A-Za-z0-9._+/=-]+")
"""Characters that docker, compose, bash and sed all leave unchanged."""


def environment(entries: Mapping[str, str]) -> str:
    """Return the variable with SCIM_CONFIG, built from the entries' source texts.

    The value is in parentheses: images before 9.3-0 read a value that starts with a brace as text,
    not as Python. Compose ends a value at " #" and replaces $NAME, docker does neither. Both
    characters occur only in Python strings, so they are written as \\x24 and \\x23.
    """
    line = ", ".join(_one_line(entry) for entry in entries.values())
    text = f"({{{line}}})".replace("$", r"\x24").replace("#", r"\x23")
    if tree(text) != tree(f"{{{','.join(entries.values())}}}"):
        raise ScimconfError("the rendered environment has wrong values; this is a bug in scimconf")
    return f"{SETTING}={text}\n"


def secret(name: str, token: str) -> str:
    """Return the variable that docker-zulip writes into zulip-secrets.conf.

    Raises UsageError for a token that docker or the image would change.
    """
    if not _PLAIN.fullmatch(token):
        raise UsageError(
            f"the token for {name} contains a character that docker or the image would change",
            "let scimconf generate the token, or use letters, digits and . _ + / = -",
        )
    return variable(name, token)


def variable(name: str, value: str) -> str:
    """Return the line for a secret; the value may be a mask with any characters."""
    return f"SECRETS_{name}={value}\n"


def _one_line(entry: str) -> str:
    """Join the lines of an entry's source: no line break in it is inside a string."""
    joined = ""
    for line in map(str.strip, entry.splitlines()):
        if line.startswith("}"):
            joined = joined.removesuffix(", ")
        joined += f"{line} " if line.endswith((",", ":")) else line
    return joined

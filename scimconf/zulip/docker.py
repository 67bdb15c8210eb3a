"""SCIM_CONFIG as the environment of docker-zulip, whose entrypoint.sh writes the files from it.

One variable a line, as `docker run --env-file` and the `env_file` of docker compose read it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from scimconf.errors import ScimconfError, UsageError

SETTING = "SETTING_SCIM_CONFIG"
_PLAIN = re.compile(r"[A-Za-z0-9._+/=-]+")
"""What docker, compose, bash and sed all leave as it is."""


def environment(entries: Mapping[str, str]) -> str:
    """Give the variable that holds SCIM_CONFIG, made of the entries' source texts.

    In parentheses it is Python on every image from 5.0-0 on: before 9.3-0 a value that starts with
    a brace is taken for a text. Compose ends a value at " #" and replaces $NAME, docker does
    neither: so both signs, which stand only inside of Python's strings, are written as \\x24 and
    \\x23.
    """
    line = ", ".join(_one_line(entry) for entry in entries.values())
    text = f"({{{line}}})".replace("$", r"\x24").replace("#", r"\x23")
    if _tree(text) != _tree(f"{{{','.join(entries.values())}}}"):
        raise ScimconfError("the environment is not what was meant; this is a mistake in scimconf")
    return f"{SETTING}={text}\n"


def secret(name: str, token: str) -> str:
    """Give the variable that docker-zulip writes into zulip-secrets.conf.

    Raises UsageError for a token that does not come through as it is.
    """
    if not _PLAIN.fullmatch(token):
        raise UsageError(
            f"the token for {name} holds a sign that docker, compose and the image do not all take "
            "as it is",
            "let scimconf make the token, or use letters, digits and . _ + / = -",
        )
    return variable(name, token)


def variable(name: str, value: str) -> str:
    """Give the line for a secret; what stands for a token may be any text."""
    return f"SECRETS_{name}={value}\n"


def _one_line(entry: str) -> str:
    """Join the lines of an entry's source: none of them ends inside of a string."""
    joined = ""
    for line in map(str.strip, entry.splitlines()):
        if line.startswith("}"):
            joined = joined.removesuffix(", ")
        joined += f"{line} " if line.endswith((",", ":")) else line
    return joined


def _tree(source: str) -> str:
    return ast.dump(ast.parse(source, mode="eval"))

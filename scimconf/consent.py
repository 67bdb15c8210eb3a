"""The kinds of programs that an inventory may choose (`--allow-exec`)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, get_args

Kind = Literal["local", "inventory", "proxy", "become"]
"""`local`: the agent on this machine, with a Python that the inventory names
(`ansible_connection: local`). `inventory`: inventory sources that are programs, links that lead
out of group_vars/ and host_vars/, and encrypted values that are copied or inserted into variables
that are not secrets. `proxy`: a ProxyCommand or an ssh_config that the inventory names. `become`: a
program on the server that the inventory names in place of sudo or su (`ansible_become_exe`,
`ansible_become_flags`). It may get the sudo password."""

Consent = frozenset[Kind]

KINDS: tuple[Kind, ...] = get_args(Kind)
NOTHING: Consent = frozenset()
EVERYTHING: Consent = frozenset(KINDS)

_YES = ("all", "1", "true", "t", "yes", "y", "on")
_NO = ("", "0", "false", "f", "no", "n", "off")


def option(kind: Kind) -> str:
    """Return the option that allows this kind and nothing else."""
    return f"--allow-exec={kind}"


def parse(text: str) -> Consent:
    """Parse a comma-separated list of kinds, or a word for all or none.

    Raises ValueError, with the most similar kind, for an unknown word.
    """
    if text.strip().lower() in _YES:
        return EVERYTHING
    if text.strip().lower() in _NO:
        return NOTHING
    return frozenset(_kind(word.strip()) for word in text.split(","))


def _kind(word: str) -> Kind:
    for kind in KINDS:
        if word == kind:
            return kind
    near = get_close_matches(word, KINDS, 1)
    hint = f"did you mean {near[0]}?" if near else f"expected one of: {', '.join(KINDS)}"
    raise ValueError(f"{word!r} is not a kind of program; {hint}")

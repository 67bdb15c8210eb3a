"""What an inventory may make run on the machine that scimconf runs on (`--allow-exec`)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, get_args

Kind = Literal["local", "inventory", "proxy"]
"""`local`: the agent, here, by a Python that the inventory names (`ansible_connection: local`);
`inventory`: inventory sources that are programs, and links that lead out of group_vars/ and
host_vars/; `proxy`: a ProxyCommand or an ssh_config that the inventory names."""

Consent = frozenset[Kind]

KINDS: tuple[Kind, ...] = get_args(Kind)
NOTHING: Consent = frozenset()
EVERYTHING: Consent = frozenset(KINDS)

_YES = ("all", "1", "true", "t", "yes", "y", "on")
_NO = ("", "0", "false", "f", "no", "n", "off")


def option(kind: Kind) -> str:
    """Return the option that gives the least consent that is needed."""
    return f"--allow-exec={kind}"


def parse(text: str) -> Consent:
    """Read a comma list of kinds, or a word for all or none of them, as variables have it.

    Raises ValueError for a word that is no kind, naming the nearest.
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
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(KINDS)}"
    raise ValueError(f"{word!r} is not a kind of consent; {hint}")

"""Check Ansible's variables with options for ssh, sudo and su."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from scimconf.inventory.rules import Invalid
from scimconf.ssh import arguments, become_words
from scimconf.ssh.arguments import ArgumentsError
from scimconf.ssh.become_words import BecomeWordsError


def check(text: str) -> str:
    """Check a text with options for ssh, split as Ansible splits it."""
    try:
        arguments.parse(shlex.split(text))
    except ArgumentsError as error:
        raise Invalid(f"expected options for ssh: {error}") from error
    except ValueError as error:
        raise Invalid("expected options for ssh, but a quote is not closed") from error
    return text


def check_become(text: str) -> str:
    """Check a text with words for sudo or su, split as a shell splits it."""
    try:
        become_words.split(text)
    except BecomeWordsError as error:
        raise Invalid(f"expected words for sudo or su, but {error}") from error
    return text


def ignored(text: str) -> Iterator[tuple[str, str]]:
    """Yield message and hint for ignored options; those about host keys share one message."""
    names = arguments.parse(shlex.split(text)).ignored
    trust = [name for name in names if arguments.trust(name)]
    others = [name for name in names if name not in trust]
    if trust:
        yield (
            f"{_listed(trust)}: ignored, because an inventory must not decide which host keys are "
            "trusted; they are always checked",
            "use --known-hosts, or --accept-new-host-keys once, or your ssh_config",
        )
    if others:
        yield (
            f"{_listed(others)}: ignored, because scimconf has no equivalent",
            "to see the supported options of ssh: scimconf help ssh",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names))

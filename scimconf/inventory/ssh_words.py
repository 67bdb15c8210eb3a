"""Ansible's variables for ssh's command line, as far as they mean the same here."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from scimconf.inventory.rules import Invalid
from scimconf.ssh import arguments
from scimconf.ssh.arguments import ArgumentsError


def check(text: str) -> str:
    """Check options for ssh in one text, as Ansible splits it."""
    try:
        arguments.parse(shlex.split(text))
    except ArgumentsError as error:
        raise Invalid(f"expected options of ssh: {error}") from error
    except ValueError as error:
        raise Invalid("expected options of ssh, with their quotes in pairs") from error
    return text


def ignored(text: str) -> Iterator[tuple[str, str]]:
    """Give message and hint for what is not followed; all that is about host keys in one."""
    names = arguments.parse(shlex.split(text)).ignored
    trust = [name for name in names if arguments.trust(name)]
    others = [name for name in names if name not in trust]
    if trust:
        yield (
            f"{_listed(trust)}: an inventory does not decide which host keys are believed; they "
            "are always checked",
            "use --known-hosts, or --accept-new-host-keys once, or your ssh_config",
        )
    if others:
        yield (
            f"{_listed(others)}: not followed, there is nothing here that does the same",
            "docs/ssh.md says which options of ssh are",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names))

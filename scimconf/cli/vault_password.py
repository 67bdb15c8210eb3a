"""Where the vault passwords come from: options, else the environment; fetched once, when needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import click

from scimconf.cli.options import VaultOptions
from scimconf.errors import UsageError
from scimconf.secret import Secret

VARIABLE = "SCIMCONF_VAULT_PASSWORD"
"""Holds the password itself, as pipelines keep their secrets; no child of ours inherits it."""

_DEFAULT = "default"
_PROMPT = "prompt"
_FILES = "give --vault-id LABEL@FILE, --vault-password-file FILE"

_taken: dict[str, Secret] = {}


def withhold() -> None:
    """Take the password that stands in our environment out of it, before any child is started."""
    _taken.clear()
    if given := os.environ.pop(VARIABLE, "").strip():
        _taken[VARIABLE] = Secret(given)


class VaultPassword:
    """The vault passwords by vault id, the one that new values are encrypted under first.

    Called from the one thread that talks to the person before any other is started.
    """

    def __init__(
        self, options: VaultOptions, known_ids: Callable[[], Collection[str]] | None = None
    ) -> None:
        """See `Person.vault_passwords`: nothing would notice a mistyped password of a new id."""
        self._options = options
        self._known_ids = known_ids
        self._found: Mapping[str, Secret] | None = None

    def __call__(self) -> Mapping[str, Secret]:
        """Return the passwords. Raises UsageError if there is none or one cannot be read."""
        if self._found is None:
            self._found = self._fetch()
        return self._found

    def _fetch(self) -> dict[str, Secret]:
        sources = _of_options(self._options)
        if not sources and _taken:
            return {_DEFAULT: _taken[VARIABLE]}
        found: dict[str, Secret] = {}
        for label, source in dict.fromkeys(sources or _of_ansibles_environment()):
            if label in found:
                raise UsageError(
                    f"there are two vault passwords for the vault id {label!r}",
                    "tell them apart: --vault-id new@FILE --vault-id old@FILE; each value is "
                    "tried with the password of its id first, then with the others",
                )
            found[label] = self._one(label, source, first=not found)
        if not found:
            raise UsageError(
                "a vault password is needed: the tokens are kept encrypted",
                f"{_FILES} or --ask-vault-pass",
            )
        return found

    def _one(self, label: str, source: str, *, first: bool) -> Secret:
        from scimconf import vault

        if source == _PROMPT:
            of = "" if label == _DEFAULT else f" ({label})"
            is_new = first and self._known_ids is not None and label not in self._known_ids()
            return ask(f"vault password{of}", _FILES, twice=is_new)
        return vault.read_password_file(Path(source).expanduser(), label)


def _of_options(options: VaultOptions) -> list[tuple[str, str]]:
    """Give label and source of each, in Ansible's order (its cli/__init__.py, build_vault_ids)."""
    sources = [_split(each) for each in options.vault_id]
    if options.vault_password_file:
        sources.append((_DEFAULT, str(options.vault_password_file)))
    if options.ask_vault_pass:
        sources.append((_DEFAULT, _PROMPT))
    return sources


def _of_ansibles_environment() -> list[tuple[str, str]]:
    listed = os.environ.get("ANSIBLE_VAULT_IDENTITY_LIST", "").split(",")
    sources = [_split(each.strip()) for each in listed if each.strip()]
    if file := os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE"):
        sources.append((_DEFAULT, file))
    return sources


def _split(identity: str) -> tuple[str, str]:
    """Split LABEL@SOURCE; without an @ it is a source, as Ansible has it."""
    label, at, source = identity.partition("@")
    if not at:
        label, source = "", identity
    if not source:
        raise UsageError(
            f"the vault id {identity!r} names no source",
            "it is LABEL@FILE, or LABEL@prompt to be asked",
        )
    return label or _DEFAULT, source


def ask(what: str, instead: str, *, twice: bool = False) -> Secret:
    """Ask for a secret on the terminal; raises UsageError, hinting at `instead`, without one."""
    if not sys.stdin.isatty():
        raise UsageError(f"no terminal to ask for the {what} on", instead)
    question = what[0].upper() + what[1:]
    again = f"{question} again" if twice else False
    return Secret(click.prompt(question, hide_input=True, err=True, confirmation_prompt=again))

"""Get the vault passwords from options or the environment: once, and only if they are needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import click

from scimconf import vault
from scimconf.cli.options import VaultOptions
from scimconf.cli.variables import taken_vault_password
from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.vault import NoPasswordError

_DEFAULT = "default"
_PROMPT = "prompt"
_HOW = "use --vault-id ID@FILE or --vault-password-file FILE"


class VaultPassword:
    """The vault passwords by vault id. The first one encrypts new values.

    Call it first in the main thread: no other thread may ask questions.
    """

    def __init__(
        self, options: VaultOptions, known_ids: Callable[[], Collection[str]] | None = None
    ) -> None:
        """See `Person.vault_passwords`. The password of a new id is asked for twice."""
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
        if not sources and (taken := taken_vault_password()):
            return {_DEFAULT: taken}
        found: dict[str, Secret] = {}
        for label, source in dict.fromkeys(sources or _of_ansibles_environment()):
            if label in found:
                raise UsageError(
                    f"two vault passwords are given for the vault id {label!r}",
                    "use different ids: --vault-id new@FILE --vault-id old@FILE; each value is "
                    "tried with the password of its id first, then with the others",
                )
            found[label] = self._one(label, source, first=not found)
        if not found:
            raise NoPasswordError(
                "a vault password is needed, because the tokens are encrypted",
                f"{_HOW}, or --ask-vault-pass on a terminal",
            )
        return found

    def _one(self, label: str, source: str, *, first: bool) -> Secret:
        if source == _PROMPT:
            which = "" if label == _DEFAULT else f" ({label})"
            is_new = first and self._known_ids is not None and label not in self._known_ids()
            return ask(f"vault password{which}", _HOW, twice=is_new)
        return vault.read_password_file(Path(source).expanduser(), label)


def _of_options(options: VaultOptions) -> list[tuple[str, str]]:
    """Return vault ids and their sources in Ansible's order (cli/__init__.py, build_vault_ids)."""
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
    """Split ID@SOURCE. Text without an @ is a source, as in Ansible."""
    label, at, source = identity.partition("@")
    if not at:
        label, source = "", identity
    if not source:
        raise UsageError(
            f"the vault id {identity!r} has no source",
            "write ID@FILE, or ID@prompt to be asked",
        )
    return label or _DEFAULT, source


def ask(what: str, hint: str, *, twice: bool = False) -> Secret:
    """Ask for a secret on the terminal. Without a terminal, raises UsageError with a hint."""
    if not sys.stdin.isatty():
        raise UsageError(f"the {what} is needed, and there is no terminal to ask for it", hint)
    question = what[0].upper() + what[1:]
    again = f"{question} again" if twice else False
    return Secret(click.prompt(question, hide_input=True, err=True, confirmation_prompt=again))


def new_password(vault_id: str | None, file: Path | None) -> tuple[str, Secret]:
    """Return the vault id and the password that `token rekey` encrypts with.

    The options are those of ansible-vault rekey. Without one, ask twice. Raises UsageError.
    """
    if vault_id is not None and file is not None:
        raise UsageError(
            "--new-vault-id and --new-vault-password-file exclude each other", "give one of them"
        )
    label, source = _split(vault_id) if vault_id is not None else (_DEFAULT, _PROMPT)
    if vault_id == source != _PROMPT and not Path(source).expanduser().exists():
        raise UsageError(
            f"--new-vault-id {vault_id!r} names no source, and there is no such file",
            "write ID@FILE, or ID@prompt to be asked",
        )
    if file is not None:
        source = str(file)
    if source == _PROMPT:
        how = "use --new-vault-id ID@FILE or --new-vault-password-file FILE"
        return label, ask("new vault password", how, twice=True)
    return label, vault.read_password_file(Path(source).expanduser(), label)

"""Get the vault passwords from options, the environment, or the file that `init` makes.

They are fetched once, and only if they are needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

import click

from scimconf import vault
from scimconf.cli.options import VaultOptions
from scimconf.cli.streams import err
from scimconf.cli.variables import taken_vault_password
from scimconf.errors import UsageError
from scimconf.inventory import ansible_cfg
from scimconf.password_file import read_own_vault_password, read_vault_password
from scimconf.run.own_password import OwnPassword
from scimconf.secret import Secret
from scimconf.vault import NoPasswordError, Password

_DEFAULT = "default"
_PROMPTS = ("prompt", "prompt_ask_vault_pass")
"""Sources that mean a question, as in Ansible (cli/__init__.py, setup_vault_secrets)."""
_HOW = "use --vault-id ID@FILE or --vault-password-file FILE"


class VaultPassword:
    """The vault passwords by vault id. The first one encrypts new values.

    Call it first in the main thread: no other thread may ask questions.
    """

    def __init__(
        self,
        options: VaultOptions,
        known_ids: Callable[[], Collection[str]] | None = None,
        own: OwnPassword | None = None,
        *,
        uses_own: bool = False,
        quiet: bool = False,
    ) -> None:
        """See `Person.vault_passwords`. The password of a new id is asked for twice.

        `uses_own`: whether `own` may be used without an option.
        """
        self._options = options
        self._known_ids = known_ids
        self._own = own
        self._uses_own = uses_own
        self._quiet = quiet
        self._found: Mapping[str, Secret] | None = None

    def __call__(self) -> Mapping[str, Secret]:
        """Return the passwords. Raises UsageError if there is none or one cannot be read."""
        if self._found is None:
            self._found = self._fetch()
        return self._found

    def _fetch(self) -> dict[str, Secret]:
        sources = _of_options(self._options)
        if not sources and (taken := taken_vault_password()):
            return {_DEFAULT: Password(taken, "SCIMCONF_VAULT_PASSWORD")}
        from_ansible = not sources
        sources = sources or _of_ansibles_environment()
        if not sources and self._uses_own and (own := self._own_password()):
            return {_DEFAULT: own}
        found: dict[str, Secret] = {}
        for given, source in dict.fromkeys(sources):
            label = given or _DEFAULT
            if label in found:
                raise UsageError(
                    f"two vault passwords are given for the vault id {label!r}",
                    "use different ids: --vault-id new@FILE --vault-id old@FILE; each value is "
                    "tried with the password of its id first, then with the others",
                )
            variable = _variable_of(source) if from_ansible else ""
            found[label] = self._one(given, source, variable, first=not found)
        if not found:
            raise NoPasswordError(
                "a vault password is needed, because the tokens are encrypted", self._how()
            )
        return found

    def _one(self, given: str, source: str, variable: str, *, first: bool) -> Secret:
        if source not in _PROMPTS:
            password = read_vault_password(Path(source).expanduser(), given or None)
            return Password(password, f"{source} ({variable})" if variable else source)
        label = given or _DEFAULT
        which = "" if label == _DEFAULT else f" ({label})"
        is_new = first and self._known_ids is not None and label not in self._known_ids()
        typed = _typed(f"vault password{which}", _HOW, twice=is_new)
        return Password(typed, "the terminal")

    def _how(self) -> str:
        """Return the hint. It names the file of `init`, but not one that git has checked out."""
        with suppress(UsageError):
            if self._own:
                read_own_vault_password(self._own.path)
                return f"use {self._own.option}"
        folders = [Path(), *([self._own.path.parent] if self._own else [])]
        note = ansible_cfg.vault_note(folders)
        how = f"{_HOW}, or --ask-vault-pass on a terminal"
        return f"{how} ({note})" if note else how

    def _own_password(self) -> Secret | None:
        """Return the password in the file that `init` makes; None if it is not there.

        If there is no token yet that it could decrypt, ask: a merge request may have brought the
        file, to read the tokens that are encrypted with it. Raises UsageError.
        """
        own = self._own
        if own is None or not os.path.lexists(own.path):
            return None
        password = read_own_vault_password(own.path)
        fits = own.decrypts(password)
        if fits is False:
            raise UsageError(
                f"wrong vault password: the one in {own.path} does not decrypt all tokens in "
                f"{own.token_file}",
                f"{_HOW}, or --ask-vault-pass on a terminal",
            )
        if fits is None and not self._is_agreed(own):
            return None
        if not self._quiet:
            err(f"using the vault password in {own.path}")
        return Password(password, str(own.path))

    def _is_agreed(self, own: OwnPassword) -> bool:
        if not sys.stdin.isatty():
            raise UsageError(
                f"a vault password is needed. There is one in {own.path}, but no token in "
                f"{own.token_file} is encrypted with it yet, and there is no terminal to ask",
                f"to use it: {own.option}",
            )
        return click.confirm(
            f"No token is encrypted yet. Use the vault password in {own.path}?", err=True
        )


def _of_options(options: VaultOptions) -> list[tuple[str, str]]:
    """Return vault ids and their sources in Ansible's order (cli/__init__.py, build_vault_ids).

    The id is "" if none is given: a program is then called without --vault-id.
    """
    sources = [_split(each) for each in options.vault_id]
    if options.vault_password_file:
        sources.append((_DEFAULT, str(options.vault_password_file)))
    if options.ask_vault_pass:
        sources.append((_DEFAULT, _PROMPTS[0]))
    return sources


def is_in_environment() -> bool:
    """Return whether an environment variable has the vault password, or names its source."""
    return taken_vault_password() is not None or bool(_of_ansibles_environment())


def _of_ansibles_environment() -> list[tuple[str, str]]:
    listed = os.environ.get("ANSIBLE_VAULT_IDENTITY_LIST", "").split(",")
    sources = [_split(each.strip()) for each in listed if each.strip()]
    if file := os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE"):
        sources.append((_DEFAULT, file))
    return sources


def _variable_of(source: str) -> str:
    """Return which of Ansible's variables names a source."""
    listed = os.environ.get("ANSIBLE_VAULT_IDENTITY_LIST", "").split(",")
    is_listed = source in (_split(each.strip())[1] for each in listed if each.strip())
    return "ANSIBLE_VAULT_IDENTITY_LIST" if is_listed else "ANSIBLE_VAULT_PASSWORD_FILE"


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
    return label, source


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
    given, source = _split(vault_id) if vault_id is not None else ("", _PROMPTS[0])
    if vault_id == source and source not in _PROMPTS and not Path(source).expanduser().exists():
        raise UsageError(
            f"--new-vault-id {vault_id!r} names no source, and there is no such file",
            "write ID@FILE, or ID@prompt to be asked",
        )
    if file is not None:
        source = str(file)
    label = given or _DEFAULT
    if source in _PROMPTS:
        how = "use --new-vault-id ID@FILE or --new-vault-password-file FILE"
        return label, _typed("new vault password", how, twice=True)
    return label, read_vault_password(Path(source).expanduser(), given or None)


def _typed(what: str, hint: str, *, twice: bool) -> Secret:
    """Ask for a vault password. Raises UsageError if only spaces are typed."""
    password = vault.without_spaces(ask(what, hint, twice=twice))
    if not password:
        raise UsageError(f"the {what} that was typed has only spaces")
    return password

"""Build the connection to a server from Ansible's variables and the command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from scimconf.inventory import rules, ssh_words
from scimconf.inventory.place import Problems
from scimconf.inventory.reader import Reader
from scimconf.inventory.schema import CONFIG, Address, Login, User, Word, default_words, rule
from scimconf.model import NOTHING, Connection, Problem, VaultValue, shared
from scimconf.secret import Sealed, Secret
from scimconf.ssh import become_words


def _port(value: object) -> object:
    # Ansible accepts both 2222 and "2222".
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _seconds(value: object) -> object:
    try:
        return float(value) if isinstance(value, (str, int)) else value
    except ValueError:
        return value


def _ansible_bool(value: object) -> object:
    """Convert the words that Ansible accepts (module_utils/parsing/convert_bool.py)."""
    words = {"yes": True, "on": True, "1": True, "true": True, "y": True, "t": True}
    words |= {"no": False, "off": False, "0": False, "false": False, "n": False, "f": False}
    return words.get(str(value).lower(), value)


_SshWords = Annotated[str, rule(ssh_words.check)]
_BecomeWords = Annotated[str, rule(ssh_words.check_become)]


class ConnectionVariables(BaseModel):
    """The connection variables of Ansible that scimconf uses."""

    model_config = CONFIG

    kind: Literal["ssh", "local"] = Field(
        "ssh",
        description="`ssh` (`paramiko` is the same), or `local` for this machine, which "
        "needs `--allow-exec=local`.",
    )
    host: Address | None = Field(
        None,
        description="The host to connect to.",
        json_schema_extra=default_words("the host name"),
    )
    port: Annotated[int, Field(ge=1, le=65535), BeforeValidator(_port)] | None = Field(
        None,
        description="The port to connect to.",
        json_schema_extra=default_words("the SSH configuration's, else 22"),
    )
    user: Login | None = Field(
        None,
        description="The user to log in as.",
        json_schema_extra=default_words("`-u`, else the SSH configuration's, else your own name"),
    )
    password: Annotated[Secret | VaultValue, WithJsonSchema({"type": "string"})] | None = Field(
        None,
        description="The password to log in with. A key is better.",
        json_schema_extra=default_words("`-k` asks, or `--connection-password-file`"),
    )
    private_key: Word | None = Field(
        None,
        description="The private key to log in with.",
        json_schema_extra=default_words("`--private-key`, else the SSH configuration's"),
    )
    passphrase: Annotated[Secret | VaultValue, WithJsonSchema({"type": "string"})] | None = Field(
        None, description="The passphrase of the private key. An ssh-agent is better."
    )
    ssh_args: _SshWords | None = Field(
        None,
        description="Options for ssh. scimconf uses those that set the route and the login, and "
        "warns about the others (`scimconf help ssh`). A `ProxyCommand` or `-F` needs "
        "`--allow-exec=proxy`.",
    )
    ssh_common_args: _SshWords | None = Field(None, description="More options for ssh.")
    ssh_extra_args: _SshWords | None = Field(None, description="More options for ssh.")
    become: Annotated[bool, BeforeValidator(_ansible_bool)] = Field(
        False,
        description="Whether to become another user after the login.",
        json_schema_extra=default_words("`-b`"),
    )
    become_method: Literal["sudo", "su"] = Field("sudo", description="How to become that user.")
    become_user: User | None = Field(
        None,
        description="The user to become. The agent never works as root: it drops to `zulip_user`.",
        json_schema_extra=default_words("`--become-user`, else `zulip_user`"),
    )
    become_password: Annotated[Secret | VaultValue, WithJsonSchema({"type": "string"})] | None = (
        Field(
            None,
            description="The password that sudo (or su) asks for.",
            json_schema_extra=default_words("`-K` asks, or `--become-password-file`"),
        )
    )
    become_exe: _BecomeWords | None = Field(
        None,
        description="The program to call: `sudo`, `sudo.ws`, `sudo-rs`, `su`, `su-rs`, or the path "
        "of one of these that only root can replace. Any other program needs "
        "`--allow-exec=become`.",
        json_schema_extra=default_words("`sudo` or `su`"),
    )
    become_flags: _BecomeWords | None = Field(
        None,
        description="Options for sudo or su. `-H -S -n` change nothing. Options that set the "
        "environment or the shell are left out with a warning. All others need "
        "`--allow-exec=become`.",
    )
    python: Word | None = Field(
        None,
        description="The Python that runs the agent if the deployment has none of its own.",
        json_schema_extra=default_words("`python3`"),
    )
    timeout: Annotated[float, Field(gt=0, le=3600), BeforeValidator(_seconds)] = Field(
        10.0, description="Seconds until the connection must be established."
    )


SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "kind": ("ansible_connection",),
    "host": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "password": ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    "private_key": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
    "passphrase": ("ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"),
    "ssh_args": ("ansible_ssh_args",),
    "ssh_common_args": ("ansible_ssh_common_args",),
    "ssh_extra_args": ("ansible_ssh_extra_args",),
    "become": ("ansible_become",),
    "become_method": ("ansible_become_method",),
    "become_user": ("ansible_become_user", "ansible_sudo_user", "ansible_su_user"),
    "become_password": (
        "ansible_become_password",
        "ansible_become_pass",
        "ansible_sudo_pass",
        "ansible_su_pass",
    ),
    "become_exe": ("ansible_become_exe", "ansible_sudo_exe", "ansible_su_exe"),
    "become_flags": ("ansible_become_flags", "ansible_sudo_flags", "ansible_su_flags"),
    "python": ("ansible_python_interpreter",),
    "timeout": ("ansible_timeout", "ansible_ssh_timeout"),
}
"""Ansible's names for each field. If a host has several, the last one wins, as in Ansible."""

_SUDO_PREFIX, _SU_PREFIX = "ansible_sudo_", "ansible_su_"
"""A become method reads only its own spellings (plugins/become/sudo.py and su.py)."""
SECRETS = ("password", "become_password", "passphrase")
_SSH_WORDS = ("ssh_args", "ssh_common_args", "ssh_extra_args")
"""In the order of Ansible's command line."""
_KINDS = {
    **dict.fromkeys(("ssh", "smart", "paramiko", "paramiko_ssh"), "ssh"),
    "local": "local",
}
_ANY_PYTHON = ("auto", "auto_silent", "auto_legacy", "auto_legacy_silent")


def connection(reader: Reader, options: Mapping[str, object], zulip_user: str) -> Connection | None:
    """Return the connection of a host, or None if one of its variables is wrong.

    `options` are those of the command line, named like the variables. As in Ansible, the inventory
    overrides them.
    """
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    encrypted: dict[str, Sealed] = {}
    unknown: dict[str, Problem] = {}
    usable = True
    for field, spellings in SPELLINGS.items():
        for name in spellings:
            if options.get(name) is not None:
                values[field] = options[name]
    for field, spellings in SPELLINGS.items():
        if reader.written.values.keys().isdisjoint(spellings):
            continue
        method = str(values.get("become_method")).removeprefix("ansible.builtin.")
        unused = _SUDO_PREFIX if method == "su" else _SU_PREFIX
        # The last spelling wins, as in Ansible's _loop_entries (config/manager.py).
        own = replace(reader, problems=Problems())
        for name, value in own.expanded(spellings).items():
            if value is not None and not name.startswith(unused):
                values[field], names[field] = value, name
        if field in names:
            usable &= _open(own, values, names, field, encrypted)
        usable &= _add(own.problems, reader.problems, unknown, spellings[0])
    if not usable:
        return None
    _tidy(values)
    given = reader.checked(ConnectionVariables, values, names, _hidden(encrypted))
    if given is None:
        return None
    _warn_become(reader, given, names, encrypted)
    return Connection(
        kind=given.kind,
        host=given.host or reader.name,
        port=given.port,
        user=given.user,
        password=given.password,
        private_key=given.private_key,
        become=given.become,
        become_method=given.become_method,
        become_user=given.become_user or zulip_user,
        become_password=given.become_password,
        become_exe=given.become_exe or None,
        become_flags=given.become_flags or None,
        python=given.python,
        timeout=given.timeout,
        passphrase=given.passphrase,
        ssh_arguments=_ssh_arguments(reader, given, names, encrypted),
        said=shared(
            frozenset(SPELLINGS[field][0] for field in names if getattr(given, field) is not None)
        ),
        encrypted=encrypted or NOTHING,
        unknown=unknown or NOTHING,
    )


def _hidden(encrypted: Mapping[str, Sealed]) -> frozenset[str]:
    """Return the fields whose values no message may describe."""
    return frozenset(field for field, names in SPELLINGS.items() if names[0] in encrypted)


def _add(own: Problems, to: Problems, unknown: dict[str, Problem], name: str) -> bool:
    """Add the problems of one field. An error that follows from a missing password is `unknown`.

    Such an error matters only to a run that connects. Return False if there is another error.
    """
    errors = []
    for each in own.errors:
        if each.follows:
            unknown[name] = each
        else:
            errors.append(each)
    to.add(Problems(dict.fromkeys(errors), own.warnings))
    return not errors


def _open(
    reader: Reader,
    values: dict[str, object],
    names: Mapping[str, str],
    field: str,
    encrypted: dict[str, Sealed],
) -> bool:
    """Replace an encrypted value by its content, and add it to `encrypted`.

    Passwords stay as they are. Return False if the value must not be used. A value that cannot be
    decrypted is left out.
    """
    value, name = values[field], names[field]
    if field in SECRETS or not isinstance(value, (VaultValue, Secret)):
        return True
    opened = reader.opened(name, value)
    if opened is None:
        del values[field]
        return True  # `_add` decides whether this error stops the run
    if not reader.trusted and (wrong := _misused(field, opened)):
        reader.problems.error(reader.written.origin(name).problem(*wrong, quotes=False))
        return False
    values[field] = opened.reveal_data()
    encrypted[SPELLINGS[field][0]] = opened
    return True


def _misused(field: str, value: Sealed) -> tuple[str, str] | None:
    """Return message and hint for an encrypted value that must not be used here.

    An author of the inventory can refer to a password that they do not know. A host name is sent to
    name servers, a user name to a server and to local programs, and errors can reveal the others.
    """
    if value.owned or (field == "host" and not value.composed and rules.is_ip(value.reveal())):
        return None
    return (
        "an encrypted value is used here that could be a copy of a password",
        "write the value in clear, or set this variable in a file that is encrypted as a whole; if "
        "you trust this inventory like a program: --allow-exec=inventory",
    )


def _ssh_arguments(
    reader: Reader,
    given: ConnectionVariables,
    names: Mapping[str, str],
    encrypted: Mapping[str, Sealed],
) -> tuple[str, ...]:
    """Return the words for ssh, and warn about the options that scimconf ignores."""
    words: list[str] = []
    for field in _SSH_WORDS:
        text = getattr(given, field)
        if not text:
            continue
        words += shlex.split(text)
        for message, hint in ssh_words.ignored(text):
            at = reader.written.origin(names[field])
            if SPELLINGS[field][0] in encrypted:
                message = "some of these options are ignored (the value is encrypted)"
                hint = "to see the supported options of ssh: scimconf help ssh"
            warning = at.problem(message, hint, "ignored-ssh-option", quotes=False)
            reader.problems.warn(warning)
    return tuple(words)


def _warn_become(
    reader: Reader,
    given: ConnectionVariables,
    names: Mapping[str, str],
    encrypted: Mapping[str, Sealed],
) -> None:
    """Warn about the options for sudo or su that scimconf leaves out."""
    words = become_words.parse(given.become_method, given.become_exe, given.become_flags)
    if not words.ignored:
        return
    name = names.get("become_flags", names.get("become_exe", ""))
    hidden = {"ansible_become_exe", "ansible_become_flags"} & encrypted.keys()
    ignored = "some options" if hidden else ", ".join(words.ignored)
    message = (
        f"{ignored}: not passed to {given.become_method}, because the agent has "
        "its own environment, shell and prompt"
    )
    hint = "this changes nothing for scimconf; to see the options: scimconf help ssh"
    at = reader.written.origin(name)
    reader.problems.warn(at.problem(message, hint, "ignored-become-option", quotes=False))


def _tidy(values: dict[str, object]) -> None:
    """Replace Ansible's synonyms by one word each, and wrap secrets."""
    for field in SECRETS:
        value = values.get(field)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            values[field] = Secret(str(value))
    kind = values.get("kind")
    if isinstance(kind, str):
        short = kind.removeprefix("ansible.builtin.").removeprefix("ansible.netcommon.")
        values["kind"] = _KINDS.get(short, kind)
    method = values.get("become_method")
    if isinstance(method, str):
        values["become_method"] = method.removeprefix("ansible.builtin.")
    if values.get("python") in _ANY_PYTHON:
        del values["python"]
